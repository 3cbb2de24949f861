"""Finished phases of earlier runs that can stand in for a phase of this one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder

REUSABLE = frozenset({"finished", "reused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a phase will run or be reused."""

    phase: str
    reused_from: str | None
    """Id of the run whose result is taken."""
    text: str


def reusable(plan: Plan, runs: Path) -> dict[str, Reason]:
    """Say for each phase whether a finished one of the same fingerprint is there."""
    return {phase.name: _reason(phase, runs / plan.project) for phase in plan.phases}


def find(phase: PhasePlan, project: Path) -> Path | None:
    """Folder of the newest finished phase with this fingerprint whose adapters are intact."""
    for folder, record in _records(project):
        if record.get("fingerprint") == phase.fingerprint and record.get("status") in REUSABLE:
            adapters = sorted(p.parent for p in folder.glob(f"adapter*/{manifest.NAME}"))
            if adapters and all(_intact(adapter) for adapter in adapters):
                return folder
    return None


def take(source: Path, run: RunFolder, phase: str) -> None:
    """Copy a finished phase's adapters into this run's folder, which then stands on nothing else."""
    for adapter in source.glob("adapter*"):
        target = run.phase(phase) / adapter.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(adapter, target)


def _reason(phase: PhasePlan, project: Path) -> Reason:
    if not phase.fingerprint:
        return Reason(phase=phase.name, reused_from=None, text="will run: the base is not here yet")
    source = find(phase, project)
    if source is not None:
        run = source.parent.parent.name
        return Reason(phase=phase.name, reused_from=run, text=f"reused from run {run}: same fingerprint")
    earlier = [r for f, r in _records(project) if f.name == phase.name and r.get("status") in REUSABLE]
    why = "its fingerprint changed" if earlier else "no finished run of it"
    return Reason(phase=phase.name, reused_from=None, text=f"will run: {why}")


def _records(project: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every phase record of a project, newest run first."""
    for path in sorted(project.glob("*/phases/*/phase.json"), reverse=True):
        try:
            yield path.parent, json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue


def _intact(adapter: Path) -> bool:
    try:
        manifest.read(adapter)
    except ModelError:
        return False
    return True


def cells_of(project: Path) -> Iterator[Sequence[dict[str, Any]]]:
    """The scored cells of every run of a project, newest first: see ``scores.Scores``."""
    for path in sorted(project.glob("*/retention.json"), reverse=True):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):
            continue
