"""Going on with a run that was cut off, if everything that it stands on is still what it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.api.errors import LockedError, MachineError, MedrecipeError, ModelError
from pipeline_dsl.plan.choose import make, version_of
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.hashing import library_versions, verify_files
from pipeline_dsl.plan.model import Plan, ProviderRef
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import atomic, history
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.logs import FILE as LOG
from pipeline_dsl.run.redaction import is_redacted

METRICS = "metrics.jsonl"
_NEW = "start a new run, which reuses every finished phase that is the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What is known of a run from before it was cut off."""

    plan: Plan
    started: str | None
    seconds: float
    metrics_seq: int
    """Number of the last line of ``metrics.jsonl``."""


def folder_of(runs: Path, run_id: str) -> RunFolder:
    """The folder of a run by its id or the beginning of it."""
    return RunFolder(history.find_run(runs, run_id))


def stored_plan(folder: RunFolder) -> Plan:
    """The plan of a run.

    Raises:
        ModelError: it is missing, damaged or of another version.
    """
    try:
        data = folder.read_json("plan.json")
    except ValueError:
        data = None
    if data is None:
        raise ModelError(
            f"the plan of the run {folder.id} is missing or damaged",
            help="start a new run",
            code=PlanCode.OTHER_VERSION.code,
        )
    return from_json(data)


def reopen(plan: Plan, folder: RunFolder, runs: Path, catalog: Catalog) -> Earlier:
    """Make a run's folder ready to go on in, which is locked by now.

    Args:
        plan: what was asked for, on the base as it is now.
        folder: the run's.
        runs: the folder of all runs.
        catalog: the plugins as they are now.

    Raises:
        LockedError: the run is alive, on another machine.
        DataError: a data file is not what it was.
        MachineError: a plugin is gone, or the software is not what it was.
        MedrecipeError: the base or the recipe is not what it was.
    """
    detail = history.show_run(runs, f"{folder.path.parent.name}/{folder.id}")
    if detail.status == "running":
        raise LockedError(f"the run {folder.id} is still running", help="wait for it, or end it first")
    stored = stored_plan(folder)
    redacted = is_redacted(to_json(stored))
    if not redacted:
        verify_files(stored)
    refuse_other_base(stored, plan, folder)
    _refuse_other_software(stored, catalog, folder)
    _refuse_other_recipe(stored, plan, folder)
    atomic.sweep(folder.path)
    for lines in (folder.path / METRICS, folder.path / LOG, *folder.path.glob("logs/*.jsonl")):
        atomic.mend_lines(lines)
    return Earlier(
        plan=plan if redacted else stored,
        started=detail.started,
        seconds=detail.duration_seconds or 0.0,
        metrics_seq=_last_number(folder.path / METRICS),
    )


def refuse_other_base(stored: Plan, plan: Plan, folder: RunFolder) -> None:
    """Raise MedrecipeError unless the base that is here is the one of the run."""
    if stored.base != plan.base:
        raise MedrecipeError(
            f"the base of the run {folder.id} is not the one that is here now",
            help="start a new run: the phases of this one stand on another base",
            code="MR467",
        )


def _refuse_other_software(stored: Plan, catalog: Catalog, folder: RunFolder) -> None:
    """Fingerprints have versions in them: a phase trained now would not be what its own says."""
    now = library_versions()
    changes = [
        f"{n} {v or 'none'} -> {now.get(n) or 'none'}" for n, v in stored.libraries.items() if now.get(n) != v
    ]
    for ref in _refs(stored):
        make(catalog, ref)
        name = f"{ref.plugin}/{ref.name}"
        version = version_of(catalog.find(ref.kind, name)[0])
        if version != ref.version:
            changes.append(f"{name} {ref.version} -> {version}")
    if changes:
        raise MachineError(
            f"the software of the run {folder.id} changed: {', '.join(dict.fromkeys(changes))}",
            help=f"install the versions that the run began with, or {_NEW}",
            code=PlanCode.SOFTWARE_CHANGED.code,
        )


def _refuse_other_recipe(stored: Plan, plan: Plan, folder: RunFolder) -> None:
    before = {p.name: p.fingerprint for p in stored.phases}
    after = {p.name: p.fingerprint for p in plan.phases}
    if before != after:
        names = [n for n in dict.fromkeys([*before, *after]) if before.get(n) != after.get(n)]
        raise MedrecipeError(
            f"the recipe is not the one of the run {folder.id}: {', '.join(names)} changed",
            help=f"leave the recipe out to go on with the run's own, or {_NEW}",
            code=PlanCode.OTHER_RECIPE.code,
        )


def _refs(plan: Plan) -> Iterator[ProviderRef]:
    """Every provider on which results depend."""
    yield plan.model
    yield from plan.adapters.values()
    yield from (d.source for d in plan.data.values())
    for task in plan.tasks:
        yield from (task.template, task.metric)
    for phase in plan.phases:
        yield phase.train
        yield from (m.template for m in phase.mix)
        yield from (s.template for s in phase.stages if s.template is not None)
        yield from (h.do for h in phase.hooks)


def _last_number(path: Path) -> int:
    """The largest ``seq`` of a log."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return max((_number(line) for line in lines), default=0)


def _number(line: str) -> int:
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError):
        return 0
    return seq if isinstance(seq, int) else 0
