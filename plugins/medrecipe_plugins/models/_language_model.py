"""The handle of a loaded model."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from medrecipe_plugins.models import _encoding, _memory, _observing
from pipeline_dsl.api import Memory, ModelIdentity, Need, Observation, Sample

_TOKENS_A_BATCH = 8192
_LOGITS_A_BATCH = 2**28
"""Numbers in one batch's logits: 1 GiB in float32."""


class TorchCausalLM:
    """A causal language model of transformers on one device. See ``pipeline_dsl.api.LanguageModel``.

    Attributes:
        module: the model; an adapter provider replaces it by the model with adapters.
        identity: what makes it this base.
        seed: what new adapters draw their first weights from.
        attached: what an adapter provider keeps about the stack that it put on.
        token_budget: largest padded size of a batch in ``observe``.
        new_tokens: the tokens that the recipe added, by their ids.
        fresh_tokens: those of them whose rows a new adapter trains; set by an adapter provider.
    """

    def __init__(
        self,
        *,
        module: Any,
        tokenizer: Any,
        device: str,
        dtype: str,
        identity: ModelIdentity,
        seed: int,
        new_tokens: Mapping[int, str],
    ) -> None:
        self.module = module
        self.tokenizer = tokenizer
        self.device = device
        self.dtype = dtype
        self.identity = identity
        self.seed = seed
        self.new_tokens = new_tokens
        self.fresh_tokens: Mapping[int, str] = {}
        self.attached: Any = None
        self.token_budget = _TOKENS_A_BATCH
        self.marks = _encoding.marks_of(tokenizer, identity.name)
        text = module.config.get_text_config()
        self.max_positions = int(text.max_position_embeddings)
        self.rows = int(module.get_input_embeddings().num_embeddings)
        self.ends = self.marks.ends | _generation_ends(module)

    @property
    def logits_budget(self) -> int:
        """Largest padded size of a batch of which every token's logits are computed."""
        return min(self.token_budget, max(1024, _LOGITS_A_BATCH // self.rows))

    def encode(self, sample: Sample) -> tuple[list[int], int]:
        """Return token ids of prompt + completion + end mark, and the length of the prompt part."""
        ids, prompt = _encoding.encode(self.tokenizer, self.marks, sample)
        self.refuse_foreign_ids(ids, sample)
        return ids, prompt

    def refuse_foreign_ids(self, ids: list[int], sample: Sample) -> None:
        """Raise DataError where a token has no row in the embeddings."""
        _encoding.refuse_foreign_ids(ids, self.rows, sample)

    def observe(
        self, samples: Sequence[Sample], need: Need, *, max_new_tokens: int = 32
    ) -> list[Observation]:
        """See what the model does, greedily, in eval mode; leaves mode and random state as they were."""
        return _observing.observe(self, samples, need, max_new_tokens)

    def memory(self) -> Memory:
        """Return what this process holds on the model's device now, and the most since loading began."""
        return _memory.memory(self.device)

    def close(self) -> None:
        """Free the memory; the handle is of no use after."""
        self.module = None
        self.attached = None
        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _generation_ends(module: Any) -> frozenset[int]:
    """Return the ids at which the checkpoint's own settings end a text."""
    config = getattr(module, "generation_config", None)
    ends = getattr(config, "eos_token_id", None)
    return frozenset([] if ends is None else [ends] if isinstance(ends, int) else ends)
