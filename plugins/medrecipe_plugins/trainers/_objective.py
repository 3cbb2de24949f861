"""What a micro-batch is and what is learned from it: the one place that differs between ways to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from medrecipe_plugins.trainers._batches import IGNORED, collate
from pipeline_dsl.api import Prepared

Inputs = Mapping[str, Any]


class Objective(Protocol):
    """From samples to the loss of a micro-batch. Its ``labels`` are ``IGNORED`` where nothing is learned."""

    def collate(self, items: Sequence[Prepared]) -> Inputs:
        """Make the micro-batch of some samples."""

    def parts(self, inputs: Inputs, size: int) -> Sequence[Inputs]:
        """Cut a micro-batch into ones of at most ``size`` samples, in the same order."""

    def loss(self, model: torch.nn.Module, inputs: Inputs, items: Any) -> torch.Tensor:
        """Sum of -log p over a micro-batch's label tokens / ``items``: the optimizer step's label tokens."""


class TokenLoss:
    """Samples beside each other, padded on the right; a model's own forward knows of no loss."""

    def collate(self, items: Sequence[Prepared]) -> Inputs:
        """Pad samples to the longest."""
        return collate(items)

    def parts(self, inputs: Inputs, size: int) -> Sequence[Inputs]:
        """Cut a micro-batch into parts padded to their own longest sample; leave one that is small enough."""
        rows = len(inputs["input_ids"])
        if rows <= size:
            return [inputs]
        parts = []
        for at in range(0, rows, size):
            part = {name: values[at : at + size] for name, values in inputs.items()}
            longest = int(part["attention_mask"].sum(dim=1).max())
            parts.append({name: values[:, :longest] for name, values in part.items()})
        return parts

    def loss(self, model: torch.nn.Module, inputs: Inputs, items: Any) -> torch.Tensor:
        """Sum of -log p over a micro-batch's label tokens / ``items``."""
        labels = inputs["labels"].flatten()
        outputs = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        )
        learned = (labels != IGNORED).nonzero().squeeze(1)
        logits = outputs.logits.flatten(0, 1).index_select(0, learned).float()
        total = torch.nn.functional.cross_entropy(logits, labels.index_select(0, learned), reduction="sum")
        return total / items
