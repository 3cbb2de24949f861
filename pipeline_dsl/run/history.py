"""The runs of a folder: listed, found by id, shown. No parser of recipes and no model code is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.run.matrix import RetentionMatrix, read_json, read_retention
from pipeline_dsl.run.summary import RunSummary, read_summary

Json = dict[str, Any]
_NAMED = 5
"""How many of several candidates a message names."""


class UnknownRunError(MedrecipeError):
    """No run, or no single one, has the id that was given (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = "MR260"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSummary:
    """What is known of a phase. ``status`` is ``pending`` until something of it is on disk."""

    name: str
    status: str
    fingerprint: str | None = None
    adapter: str | None = None
    own_task: str | None = None
    metrics: Json | None = None
    data: Json | None = None
    """What its samples came to; None where that is not known, as for a stream."""
    stages: tuple[Json, ...] = ()
    """What its stages came to, if it has any."""
    reused_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail(RunSummary):
    """A run with its phases in their order and its retention matrix."""

    phases: tuple[PhaseSummary, ...]
    retention: RetentionMatrix


def list_runs(runs: Path) -> tuple[RunSummary, ...]:
    """Return all runs of a folder, newest first; links are not followed."""
    found = [summary for folder in run_folders(runs) if (summary := read_summary(folder)) is not None]
    return tuple(sorted(found, key=_age, reverse=True))


def _age(run: RunSummary) -> tuple[str, float]:
    """What sorts runs by their start; ids begin with it too, which places a run whose record is damaged."""
    return "".join(c for c in run.started or run.id if c.isdigit()), run.written


def run_folders(runs: Path) -> Iterator[Path]:
    """Yield the folder of every run: ``runs/PROJECT/RUN``."""
    for project in _folders(runs):
        yield from _folders(project)


def show_run(runs: Path, name: str) -> RunDetail:
    """Read the run of an id, of the unique start of one, or of ``PROJECT/ID``.

    Raises:
        UnknownRunError: no run has it, several have, or it is no id at all.
    """
    return read_run(find_run(runs, name))


def read_run(folder: Path) -> RunDetail:
    """Read the run of a folder; UnknownRunError where it holds none."""
    summary = read_summary(folder)
    if summary is None:
        msg = f"{folder} holds no run"
        raise UnknownRunError(msg)
    known = {f.name: getattr(summary, f.name) for f in fields(summary)}
    return RunDetail(**known, phases=phases_of(folder), retention=read_retention(folder))


def locate_run(runs: Path, name: str) -> Path:
    """Return the folder of a run by its id, or by the path of its folder: what has a slash is a path.

    Raises:
        UnknownRunError: there is none.
    """
    if os.sep not in name or not (Path(name) / "plan.json").is_file():
        return find_run(runs, name)
    return Path(name).resolve()


def find_run(runs: Path, name: str) -> Path:
    """Return the folder of a run; a name with ``..``, an absolute path or a link never leads anywhere."""
    folders = {f"{folder.parent.name}/{folder.name}": folder for folder in run_folders(runs)}
    exact = [folder for full, folder in folders.items() if name in {folder.name, full}]
    found = exact or [
        folder
        for full, folder in folders.items()
        if name and (folder.name.startswith(name) or full.startswith(name))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{f.parent.name}/{f.name}" for f in found[:_NAMED])
        msg = f"{len(found)} runs begin with {name!r}"
        raise UnknownRunError(msg, help=f"write more of the id: {ids}{' …' if len(found) > _NAMED else ''}")
    msg = f"there is no run {name!r} in {runs}"
    raise UnknownRunError(msg, help=_nearest(name, [f.name for f in folders.values()]))


def _nearest(name: str, ids: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, ids, n=3, cutoff=0.4)
    return (
        f"the nearest are {', '.join(near)}" if near else "medrecipe runs list shows the runs that there are"
    )


def phases_of(folder: Path) -> tuple[PhaseSummary, ...]:
    """Return what is known of the phases of a run, in their order."""
    plan = read_json(folder / "plan.json") or {}
    names = [str(p["name"]) for p in plan.get("phases", ()) if isinstance(p, dict) and "name" in p]
    names = [name for name in names if Path(name).name == name]
    there = sorted(p.parent.name for p in folder.glob("phases/*/phase.json"))
    return tuple(_phase(folder, name) for name in dict.fromkeys([*names, *there]))


def _phase(folder: Path, name: str) -> PhaseSummary:
    path = folder / "phases" / name / "phase.json"
    data = read_json(path)
    if data is None:
        return PhaseSummary(name=name, status="damaged" if path.exists() else "pending")
    known = ("fingerprint", "adapter", "own_task", "metrics", "data", "reused_from")
    stages = data.get("stages")
    return PhaseSummary(
        name=name,
        status=str(data.get("status")),
        stages=tuple(s for s in stages if isinstance(s, dict)) if isinstance(stages, list) else (),
        **{k: data.get(k) for k in known},
    )


def _folders(parent: Path) -> Iterator[Path]:
    """Yield the folders in a folder, links and hidden ones left out; none where it is not there."""
    try:
        with os.scandir(parent) as entries:
            names = sorted(
                e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        yield parent / name
