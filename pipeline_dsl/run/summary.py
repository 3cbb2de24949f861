"""What one run says of itself in its ``metadata.sdn``, held against what is the case."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline_dsl.run.liveness import alive, host
from pipeline_dsl.syntax.machine import RecordError, read_record

METADATA = "metadata.sdn"
STATUSES = frozenset({"running", "finished", "failed", "rejected", "interrupted"})
"""What a run may say of itself; ``crashed`` and ``damaged`` are what others find."""
_SILENT_SECONDS = 600.0
"""A run of another machine that wrote nothing for so long is taken for crashed."""
_BEATS = (METADATA, "metrics.jsonl")
"""The files that a living run writes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run as a list shows it. Of a damaged one only the id, the project and the problem are known."""

    id: str
    project: str
    folder: Path
    status: str
    """``running``, ``finished``, ``failed``, ``rejected``, ``interrupted``, ``crashed`` or ``damaged``."""
    recipe: str | None = None
    profile: str | None = None
    started: str | None = None
    """ISO 8601, UTC."""
    duration_seconds: float | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    """The newest value of every task."""
    problem: str | None = None
    """Why it counts as damaged."""
    written: float = 0.0
    """When its record was written last, in Unix seconds: settles the order of runs of the same second."""


def read_summary(folder: Path) -> RunSummary | None:
    """Read one run; None for a folder that holds none."""
    try:
        text = (folder / METADATA).read_text("utf-8")
    except FileNotFoundError:
        is_run = (folder / "plan.json").exists()
        return _damaged(folder, f"{METADATA} is missing") if is_run else None
    except (OSError, UnicodeDecodeError) as error:
        return _damaged(folder, f"{METADATA}: {error}")
    try:
        return _summary(folder, read_record(text))
    except (RecordError, ValueError) as error:
        return _damaged(folder, f"{METADATA}: {error}")


def _summary(folder: Path, record: dict[str, Any]) -> RunSummary:
    status = record.get("status")
    if status not in STATUSES:
        msg = f"the status {status!r} is none that a run can have"
        raise ValueError(msg)
    if status == "running" and not _lives(folder, record):
        status = "crashed"
    summary = record.get("summary") or {}
    if not isinstance(summary, dict):
        msg = "the summary is not a mapping"
        raise ValueError(msg)  # noqa: TRY004 - whatever is wrong with a record is a ValueError
    return RunSummary(
        id=folder.name,
        project=folder.parent.name,
        folder=folder,
        status=status,
        recipe=_text(record, "recipe"),
        profile=_text(record, "profile"),
        started=_time(record, "started"),
        duration_seconds=_seconds(record, "duration_seconds"),
        summary=summary,
        written=_written(folder / METADATA),
    )


def _lives(folder: Path, record: dict[str, Any]) -> bool:
    """Whether a run that says it is running is: by its process here, by its last write elsewhere."""
    if record.get("host") == host():
        return alive(record)
    return time.time() - max(_written(folder / name) for name in _BEATS) < _SILENT_SECONDS


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _damaged(folder: Path, problem: str) -> RunSummary:
    return RunSummary(
        id=folder.name, project=folder.parent.name, folder=folder, status="damaged", problem=problem
    )


def _text(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None or isinstance(value, str):
        return value
    msg = f"{name} is not a text"
    raise ValueError(msg)


def _time(record: dict[str, Any], name: str) -> str | None:
    value = _text(record, name)
    if value is not None:
        datetime.fromisoformat(value)
    return value


def _seconds(record: dict[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{name} is not a number"
        raise ValueError(msg)  # noqa: TRY004 - as above
    return float(value)
