"""Forward and loss of packs: no padding, no logits but those of labels, shared beginnings once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from medrecipe_plugins.adapters._fast_linear import quick
from medrecipe_plugins.models._glus import fast_glus
from medrecipe_plugins.models._norms import fast_norms
from medrecipe_plugins.models._observing import evaluating
from medrecipe_plugins.models._packed import PackedForward, packing
from medrecipe_plugins.models._packs import Pack
from medrecipe_plugins.trainers._kernels import Kernels
from medrecipe_plugins.trainers._label_loss import LabelLoss
from pipeline_dsl.api import Prepared


class FastStep:
    """Computes the loss of packs on one model. Made for the length of a training.

    Args:
        module: a causal language model of transformers, with adapters or without.
        device: where it is.
        budget: most tokens that are computed at once.
        share: compute common beginnings once.
        kernels: by what it is computed; without them, by what is right everywhere.
    """

    def __init__(
        self, module: Any, device: str, budget: int, *, share: bool, kernels: Kernels | None = None
    ) -> None:
        self._kernels = kernels or Kernels()
        self._forward = PackedForward(module, device, self._kernels.attention)
        self._budget = budget
        self._share = share

    @contextmanager
    def working(self) -> Iterator[None]:
        """Set the model to packs; evaluations inside see it as it was."""
        forward, kernels = self._forward, self._kernels
        with (
            fast_glus(forward.decoder, kernels.product),
            forward.working(),
            quick(forward.base),
            fast_norms(forward.decoder, kernels.norm),
        ):
            yield

    def packs(self, samples: Sequence[Prepared]) -> Iterator[Pack]:
        """Cut the samples of an optimizer step into packs."""
        return self._forward.packs(samples, self._budget, share=self._share)

    def loss(self, pack: Pack) -> torch.Tensor:
        """Return the summed -log p of a pack's labels, in float32."""
        head = self._forward.head
        hidden = self._forward.hidden(pack)
        loss: torch.Tensor = LabelLoss.apply(
            hidden, head.weight, head.bias, pack.labels, self._forward.softcap
        )
        return loss

    def disagreement(self, samples: Sequence[Prepared]) -> str | None:
        """Return by how much packs and the model's own forward disagree on samples; None: not at all."""
        with evaluating(self._forward.base):
            return self._forward.disagreement(samples)


def why_not(module: Any, longest: int) -> str | None:
    """Return why packs cannot train a model, None where nothing is known against it.

    Args:
        module: the model.
        longest: tokens that a sample may have.
    """
    found = packing(module).refusal(longest)
    if found is not None:
        return found
    base = module.get_base_model() if hasattr(module, "get_base_model") else module
    trained = any(p.requires_grad for p in base.get_output_embeddings().parameters())
    return "its output layer is trained" if trained else None
