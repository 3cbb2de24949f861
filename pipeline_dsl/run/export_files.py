"""The files of a run that one of its stacks needs to be a run by itself, somewhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.plan.plan_json import to_json
from pipeline_dsl.run import atomic, manifest
from pipeline_dsl.run.finished import FinishedRun
from pipeline_dsl.run.matrix import read_json
from pipeline_dsl.run.summary import METADATA
from pipeline_dsl.syntax import machine

Json = dict[str, Any]
_AS_THEY_ARE = ("recipe.sdn", "environment.json", "retention.json")
_OF_A_PROCESS = ("pid", "process_start", "boot_id", "host")
"""What the record of a run says of the machine on which it was written."""


def standing(plan: Plan, phase: PhasePlan) -> tuple[PhasePlan, ...]:
    """Return a phase and all phases whose adapters it stands on or went on from, in the plan's order."""
    needed = {phase.name}
    while True:
        makers = {
            str(layer.made_by)
            for name in needed
            for layer in manifest.below(plan.phase(name))
            if layer.made_by is not None
        }
        if makers <= needed:
            return tuple(p for p in plan.phases if p.name in needed)
        needed |= makers


def files_of(run: FinishedRun, phase: PhasePlan, scratch: Path) -> Mapping[str, Path]:
    """Return the files that belong to a phase's stack, by their names in the run's folder.

    The plan and the run's record are written anew into ``scratch``: of the places of data only the names of
    files stay, and nothing of the process that trained.
    """
    here = run.folder.path
    found = {name: here / name for name in _AS_THEY_ARE if (here / name).is_file()}
    found["plan.json"] = scratch / "plan.json"
    plan = read_json(here / "plan.json") or to_json(run.plan)
    atomic.write_json(found["plan.json"], placeless(plan))
    record = _record(here / METADATA)
    if record is not None:
        found[METADATA] = scratch / METADATA
        atomic.write_text(found[METADATA], machine.write_record(record))
    for needed in standing(run.plan, phase):
        found |= {run.folder.relative(path): path for path in _of_phase(run, needed)}
    return dict(sorted(found.items()))


def placeless(plan: Json) -> Json:
    """Return a plan's JSON that says of files of data what they are called, and not where they were."""
    data = {name: _placeless(entry) for name, entry in plan.get("data", {}).items()}
    return {**plan, "path": PurePath(str(plan.get("path", ""))).name, "data": data}


def _placeless(data: Json) -> Json:
    source = data["source"]
    options = {
        name: file_name(value) if name in source["paths"] and isinstance(value, str) else value
        for name, value in source["options"].items()
    }
    files = [{**file, "path": file_name(file["path"])} for file in data["files"]]
    return {**data, "source": {**source, "options": options}, "files": files}


def file_name(place: str) -> str:
    """Return what a file is called: the last part of its path, or of its address without a query."""
    return PurePath(place.partition("?")[0] if "://" in place else place).name


def _of_phase(run: FinishedRun, phase: PhasePlan) -> Iterator[Path]:
    yield run.folder.phase(phase.name) / "phase.json"
    for adapter in phase.trained:
        folder = manifest.adapter_folder(run.folder, phase, adapter)
        yield folder / manifest.NAME
        yield from (folder / name for name in manifest.read(folder)["files"])


def _record(path: Path) -> Json | None:
    """A run's record without what it says of its process; None where it cannot be read."""
    try:
        record = machine.read_record(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, machine.RecordError):
        return None
    return {name: value for name, value in record.items() if name not in _OF_A_PROCESS}
