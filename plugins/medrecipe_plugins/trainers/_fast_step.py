"""Forward and loss of packs: no padding, no logits but those of labels, shared beginnings once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from medrecipe_plugins.adapters._fast_linear import quick
from medrecipe_plugins.models._last_layer import last_layer_at_labels
from medrecipe_plugins.models._observing import evaluating
from medrecipe_plugins.models._packed_attention import packed_attention
from medrecipe_plugins.models._packs import Pack, packs_of
from medrecipe_plugins.trainers._batches import IGNORED, collate
from medrecipe_plugins.trainers._label_loss import LabelLoss
from pipeline_dsl.api import Prepared

_LENGTH_DEPENDENT = {"longrope", "dynamic"}
_TOLERANCES = {torch.float32: 1e-4}
_ROUNDED = 2e-2
"""Relative difference of losses that rounding in 16 bits, and 8-bit layers, may make."""


class FastStep:
    """Computes the loss of packs on one model. Made for the length of a training.

    Args:
        module: a causal language model of transformers, with adapters or without.
        device: where it is.
        budget: most tokens that are computed at once.
        share: compute common beginnings once.
    """

    def __init__(self, module: Any, device: str, budget: int, *, share: bool) -> None:
        self._device = device
        self._budget = budget
        self._share = share
        self._base = module.get_base_model() if hasattr(module, "get_base_model") else module
        self._decoder = self._base.get_decoder()
        self._head = self._base.get_output_embeddings()
        self._softcap = getattr(self._base.config.get_text_config(), "final_logit_softcapping", None)
        self._as_prepared = torch.zeros(1, 1, 1, 1, device=device)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Set the model to packs; evaluations inside see it as it was."""
        with packed_attention(self._base), quick(self._base), last_layer_at_labels(self._decoder):
            yield

    def packs(self, samples: Sequence[Prepared]) -> Iterator[Pack]:
        """Cut the samples of an optimizer step into packs."""
        return packs_of(samples, self._budget, self._device, share=self._share)

    def loss(self, pack: Pack) -> torch.Tensor:
        """Return the summed -log p of a pack's labels, in float32."""
        hidden = self._decoder(
            input_ids=pack.ids,
            position_ids=pack.positions,
            attention_mask=self._as_prepared,
            use_cache=False,
            pack=pack.attention,
        ).last_hidden_state[0]
        at_labels = hidden.index_select(0, pack.places)
        loss: torch.Tensor = LabelLoss.apply(
            at_labels, self._head.weight, self._head.bias, pack.labels, self._softcap
        )
        return loss

    def disagreement(self, samples: Sequence[Prepared]) -> str | None:
        """Return by how much packs and the model's own forward disagree on samples; None: not at all.

        Whatever a model does that packs do not know of shows here, before anything is trained with them.
        """
        with evaluating(self._base), self.working():
            mine = sum(float(self.loss(pack)) for pack in self.packs(samples))
        with evaluating(self._base):
            plain = _plain_loss(self._base, samples, self._device)
        bound = _TOLERANCES.get(next(self._base.parameters()).dtype, _ROUNDED)
        if abs(mine - plain) <= bound * max(1.0, abs(plain)):
            return None
        return f"a loss of {mine:.6g} instead of {plain:.6g}"


def obstacle(module: Any, longest: int) -> str | None:
    """Return why packs cannot be used with a model, None where nothing is known against it.

    Args:
        module: the model.
        longest: tokens that a sample may have.
    """
    base = module.get_base_model() if hasattr(module, "get_base_model") else module
    config = base.config.get_text_config()
    head = base.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.requires_grad:
        return "its output layer is trained, or is no plain linear layer"
    others = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if others:
        return f"it has layers of {', '.join(sorted(others))}"
    if getattr(config, "attn_logit_softcapping", None):
        return "its attention caps logits"
    if _changes_with_length(config, longest):
        return "its position embeddings change with the length of a batch"
    return None


def _changes_with_length(config: Any, longest: int) -> bool:
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    if not any(part.get("rope_type") in _LENGTH_DEPENDENT for part in kinds):
        return False
    bounds = [part.get("original_max_position_embeddings") for part in kinds]
    bounds.append(getattr(config, "original_max_position_embeddings", None))
    return longest > next((int(bound) for bound in bounds if bound), 0)


def _plain_loss(base: Any, samples: Sequence[Prepared], device: str) -> float:
    """The same by the model's own forward, sample by sample."""
    total = 0.0
    for sample in samples:
        batch = {name: tensor.to(device) for name, tensor in collate([sample]).items()}
        labels = batch.pop("labels").flatten()
        logits = base(**batch, use_cache=False).logits.flatten(0, 1).float()
        total += float(
            torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        )
    return total
