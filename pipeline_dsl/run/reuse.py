"""Finished phases of earlier runs that can stand in for a phase of this one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.run import atomic, manifest
from pipeline_dsl.run.folder import RunFolder

REUSABLE = frozenset({"finished", "reused", "rejected"})
"""States of a phase that can be taken over. Contracts are judged anew, so that a rejected one stays rejected
unless its contract changed."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a phase will run or be reused."""

    phase: str
    reused_from: str | None
    """Id of the run whose result is taken."""
    text: str


def reusable(plan: Plan, runs: Path) -> dict[str, Reason]:
    """Say for each phase whether a finished one of the same fingerprint is there."""
    project = runs / plan.project
    sources: dict[str, Path | None] = {}
    for phase in plan.phases:
        ready = all(sources[name] is not None for name in phase.parents)
        sources[phase.name] = find(phase, project, _stands_on(phase, sources)) if ready else None
    missing = "the base is not here yet" if plan.base is None else "its data is not all here yet"
    return {phase.name: _reason(phase, project, sources, missing) for phase in plan.phases}


def find(
    phase: PhasePlan, project: Path, stands_on: Mapping[str, Sequence[str]] | None = None
) -> Path | None:
    """Folder of the newest finished phase with this fingerprint whose adapters are intact.

    Args:
        phase: the phase that is wanted.
        project: the folder of the project's runs.
        stands_on: for each adapter that the phase trains, the sha256 of those below it: one that was trained
            on other weights is another adapter, whatever its fingerprint. None: whatever it stands on.
    """
    for folder, record in records(project):
        if record.get("fingerprint") != phase.fingerprint or record.get("status") not in REUSABLE:
            continue
        found = _adapters(folder)
        if set(found) == set(phase.trained) and stands_on in (None, found):
            return folder
    return None


def take(source: Path, plan: Plan, phase: PhasePlan, run: RunFolder) -> None:
    """Copy a finished phase's adapters into this run's folder, which then stands on nothing else."""
    for adapter in source.glob("adapter*"):
        described = manifest.read(adapter)

        def fill(folder: Path, adapter: Path = adapter, described: Json = described) -> None:
            shutil.copytree(adapter, folder, dirs_exist_ok=True)
            atomic.write_json(folder / manifest.NAME, manifest.renamed(described, plan, phase, run))

        atomic.make_folder(manifest.adapter_folder(run, phase, described["adapter"]), fill)


def records(project: Path) -> Iterator[tuple[Path, Json]]:
    """Every readable phase record of a project, newest run first."""
    for path in sorted(project.glob("*/phases/*/phase.json"), reverse=True):
        record = _json(path)
        if isinstance(record, dict) and isinstance(record.get("metrics"), dict):
            yield path.parent, record


def cells_of(project: Path) -> Iterator[Sequence[Json]]:
    """The scored cells of every run of a project, newest first: see ``scores.Scores``."""
    for path in sorted(project.glob("*/retention.json"), reverse=True):
        yield cells_in(path.parent)


def cells_in(run: Path) -> Sequence[Json]:
    """The scored cells of one run; none where there are none that can be read."""
    data = _json(run / "retention.json")
    cells = data.get("cells") if isinstance(data, dict) else None
    return cells if isinstance(cells, list) else []


def _reason(phase: PhasePlan, project: Path, sources: Mapping[str, Path | None], missing: str) -> Reason:
    source = sources[phase.name]
    if source is not None:
        run = source.parent.parent.name
        return Reason(phase=phase.name, reused_from=run, text=f"reused from run {run}: same fingerprint")
    why = _why(phase, project, sources) if phase.fingerprint else missing
    return Reason(phase=phase.name, reused_from=None, text=f"will run: {why}")


def _why(phase: PhasePlan, project: Path, sources: Mapping[str, Path | None]) -> str:
    again = [name for name in phase.parents if sources[name] is None]
    if again and find(phase, project) is not None:
        return f"it stands on {' and '.join(again)}"
    done = (r for f, r in records(project) if f.name == phase.name and r.get("status") in REUSABLE)
    earlier = next(done, None)
    if earlier is None:
        return "no finished run of it"
    same = earlier.get("fingerprint") == phase.fingerprint
    return "its finished adapters are damaged or stand on others" if same else "its fingerprint changed"


def _stands_on(phase: PhasePlan, sources: Mapping[str, Path | None]) -> dict[str, list[str]]:
    """What each adapter of a phase would stand on if its parents were taken over from these folders."""
    shas: dict[tuple[str, str], str] = {}
    for name in phase.parents:
        if (source := sources[name]) is not None:
            shas |= {(name, described["adapter"]): described["sha256"] for described in _manifests(source)}
    below = [shas.get((str(x.made_by), x.adapter), "") for x in manifest.below(phase)]
    return dict.fromkeys(phase.trained, below)


def _adapters(folder: Path) -> dict[str, list[str]]:
    """The intact adapters of a phase's folder, each with the sha256 of those that it stands on."""
    return {
        described["adapter"]: [parent["sha256"] for parent in described["parents"]]
        for described in _manifests(folder)
    }


def _manifests(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.glob(f"adapter*/{manifest.NAME}")):
        try:
            yield manifest.read(path.parent)
        except ModelError:
            continue


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
