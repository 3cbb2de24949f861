"""Adapters on disk: each one whole under its name, with its manifest."""

from __future__ import annotations

from pathlib import Path

from pipeline_dsl.api.contracts import Adapter, LanguageModel
from pipeline_dsl.api.records import StackReport
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import PhasePlan
from pipeline_dsl.run import atomic, manifest
from pipeline_dsl.run.context import Context


def save_adapters(
    context: Context, phase: PhasePlan, model: LanguageModel, report: StackReport, stage: str | None = None
) -> None:
    """Write the adapters that a phase trains, as the phase or one of its stages left them.

    Raises:
        GuardError: an adapter is broken or without effect.
        MachineError: they cannot be written.
    """
    for name in phase.trained:
        adapter: Adapter = make(context.catalog, context.plan.adapters[name])

        def fill(folder: Path, adapter: Adapter = adapter, name: str = name) -> None:
            with working(context.plan.adapters[name], "save"):
                adapter.save(model, name, folder)
            described = manifest.describe(context.plan, phase, name, folder, context.folder, report, stage)
            atomic.write_json(folder / manifest.NAME, described)

        atomic.make_folder(manifest.adapter_folder(context.folder, phase, name, stage), fill)
