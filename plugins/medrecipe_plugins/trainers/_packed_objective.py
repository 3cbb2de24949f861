"""Optimizer steps in packs: see ``_objective.Objective``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from medrecipe_plugins.trainers._fast_step import FastStep
from medrecipe_plugins.trainers._objective import Inputs
from pipeline_dsl.api import Prepared


class PackedLoss:
    """A micro-batch is all samples of an optimizer step, which go through the model in packs.

    Args:
        step: of the model that is trained.
    """

    def __init__(self, step: FastStep) -> None:
        self._step = step

    def collate(self, items: Sequence[Prepared]) -> Inputs:
        """Keep samples as they are; ``labels`` are their label tokens."""
        labels = [token for item in items for token in item.ids[item.start :]]
        return {"samples": tuple(items), "labels": torch.tensor(labels, dtype=torch.long)}

    def parts(self, inputs: Inputs, size: int) -> Sequence[Inputs]:
        """Cut the samples into packs of at most ``size`` of them."""
        samples: Sequence[Prepared] = inputs["samples"]
        taken = [samples[at : at + size] for at in range(0, len(samples), size)]
        return [{"pack": pack, "labels": pack.labels} for some in taken for pack in self._step.packs(some)]

    def loss(self, model: torch.nn.Module, inputs: Inputs, items: Any) -> torch.Tensor:  # noqa: ARG002
        """Sum of -log p over a pack's labels / ``items``."""
        return self._step.loss(inputs["pack"]) / items
