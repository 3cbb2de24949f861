"""The handle of a loaded model."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from medrecipe_plugins.models import _encoding, _encoding_many, _memory, _observing
from pipeline_dsl.api import (
    BASE,
    Decoder,
    MedrecipeError,
    Memory,
    ModelError,
    ModelIdentity,
    Need,
    Observation,
    Prepared,
    Sample,
)

if TYPE_CHECKING:
    from medrecipe_plugins.models._packed import PackedForward

_TOKENS_A_BATCH = 8192
_LOGITS_A_BATCH = 2**28
"""Numbers in one batch's logits: 1 GiB in float32."""
_PROVEN_ON = 2
"""Samples on which packs are held against a model's own forward."""


class Bank(Protocol):
    """Stacks on one base, each used by the rows that ask for it."""

    names: Sequence[str]

    def select(self, stacks: Sequence[str]) -> None:
        """Say which stack each row of the next forward uses."""


class TorchCausalLM:
    """A causal language model of transformers on one device. See ``pipeline_dsl.api.LanguageModel``.

    Attributes:
        module: the model; an adapter provider replaces it by the model with adapters.
        identity: what makes it this base.
        seed: what new adapters draw their first weights from.
        attached: what an adapter provider keeps about the stack that it put on.
        bank: stacks of which each text uses its own; None where all use what is on the model.
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
        self.bank: Bank | None = None
        self._packs_agree: bool | None = None
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

    def encode_all(self, samples: Sequence[Sample]) -> Sequence[tuple[Sequence[int], int]]:
        """Return what ``encode`` returns for each sample, or raise what it raises for the first."""
        try:
            found = _encoding_many.encode_many(self.tokenizer, self.marks, samples)
        except (MedrecipeError, TypeError, ValueError):  # of one of them; one by one tells which is first
            return [self.encode(sample) for sample in samples]
        flat = bytearray().join(ids for ids, _ in found)
        if flat and int(torch.frombuffer(flat, dtype=torch.int32).max()) >= self.rows:
            for sample, (ids, _) in zip(samples, found, strict=True):
                self.refuse_foreign_ids(ids, sample)
        return found

    def refuse_foreign_ids(self, ids: Sequence[int], sample: Sample) -> None:
        """Raise DataError where a token has no row in the embeddings."""
        _encoding.refuse_foreign_ids(ids, self.rows, sample)

    def observe(
        self, samples: Sequence[Sample], need: Need, *, max_new_tokens: int = 32
    ) -> list[Observation]:
        """See what the model does, greedily, in eval mode; leaves mode and random state as they were."""
        return _observing.observe(self, samples, need, max_new_tokens)

    def decoder(self) -> Decoder:
        """Return what writes texts with it."""
        from medrecipe_plugins.models._decoding import TorchDecoder

        return TorchDecoder(self)

    def refuse_unknown_stack(self, name: str) -> None:
        """Raise ModelError (MR469) where no stack of that name is on this model."""
        names = (BASE,) if self.bank is None else self.bank.names
        if name not in names:
            there = ", ".join(n or "the base" for n in names)
            raise ModelError(
                f"the stack {name or 'of the base alone'} is not on this model",
                help=f"on it: {there}",
                code="MR469",
            )

    def select(self, stacks: Sequence[str]) -> None:
        """Have each row of the next forward use its own stack."""
        if self.bank is not None:
            self.bank.select(stacks)

    def packing(self, samples: Sequence[Prepared]) -> PackedForward | None:
        """Return a forward without padding, if this is a model that it is right for.

        Right is what agrees with the model's own forward on the first samples for which it is asked, and so
        long as its longest sample is no longer than what its position embeddings bear.
        """
        from medrecipe_plugins.models._packed import PackedForward, packing

        if not samples or packing(self.module).refusal(max(len(sample.ids) for sample in samples)):
            return None
        forward = PackedForward(self.module, self.device)
        if self._packs_agree is None:
            self._packs_agree = forward.disagreement(samples[:_PROVEN_ON]) is None
        return forward if self._packs_agree else None

    def save(self, folder: Path, dtype: str | None = None) -> None:
        """Write it with its tokenizer as transformers reads it."""
        from medrecipe_plugins.models._writing import write

        write(self, folder, dtype)

    def memory(self) -> Memory:
        """Return what this process holds on the model's device now, and the most since loading began."""
        return _memory.memory(self.device)

    def close(self) -> None:
        """Free the memory; the handle is of no use after."""
        self.module = None
        self.attached = self.bank = None
        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        _memory.give_back()


def _generation_ends(module: Any) -> frozenset[int]:
    """Return the ids at which the checkpoint's own settings end a text."""
    config = getattr(module, "generation_config", None)
    ends = getattr(config, "eos_token_id", None)
    return frozenset([] if ends is None else [ends] if isinstance(ends, int) else ends)
