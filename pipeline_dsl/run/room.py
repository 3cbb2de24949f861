"""Whether there is room for what a run writes, seen before anything is done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline_dsl.api.contracts import Adapter, Model, Trainer
from pipeline_dsl.api.errors import MachineError, ModelError
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.registry import Catalog

MARGIN = 1.2
"""What is asked for, of what is estimated."""
_ADAPTER = 4
"""Bytes of a trained number in an adapter."""
_CHECKPOINT = 3 * 4
"""The same in a checkpoint: itself and the two that Adam remembers."""
_MB = 10**6


def verify_writable(runs: Path) -> None:
    """Raise MachineError unless runs can be written there; nothing is made."""
    place = _existing(runs)
    if not place.is_dir():
        raise MachineError(f"runs cannot be written to {runs}: {place} is no folder", help="choose --runs")
    if not os.access(place, os.W_OK | os.X_OK):
        raise MachineError(
            f"runs cannot be written to {runs}: {place} is read-only",
            help="allow writing there, or choose another folder with --runs",
        )


def verify_room(plan: Plan, phases: Sequence[PhasePlan], catalog: Catalog, runs: Path) -> None:
    """Raise MachineError (MR605) where adapters and checkpoints will not fit on the disk.

    A base whose shape is not known is not estimated, and nothing is refused.
    """
    with suppress(ModelError):
        need = MARGIN * _estimate(plan, phases, catalog)
        free = shutil.disk_usage(_existing(runs)).free
        if need > free:
            raise MachineError(
                f"adapters and checkpoints may take {need / _MB:,.0f} MB, {free / _MB:,.0f} MB are free",
                code="MR605",
                place=str(runs),
                help="free space, choose another folder with --runs, or lower save_total_limit",
            )


def _estimate(plan: Plan, phases: Sequence[PhasePlan], catalog: Catalog) -> float:
    """Bytes of all adapters, and of the checkpoints of the phase that has most of them."""
    model: Model = make(catalog, plan.model)
    shape = model.shape()
    adapters, most = 0, 0
    for phase in phases:
        trained: list[Adapter] = [make(catalog, plan.adapters[name]) for name in phase.trained]
        parameters = sum(adapter.count(shape) for adapter in trained)
        trainer: Trainer = make(catalog, phase.train)
        count = getattr(trainer, "checkpoints", None)
        adapters += parameters * _ADAPTER * (1 + len(phase.stages))
        most = max(most, parameters * _CHECKPOINT * (count() if count else 1))
    return adapters + most


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())
