"""The retention matrix of a run as its ``retention.json`` keeps it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_FIGURES = ("acc", "bwt", "forgetting", "fwt")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionMatrix:
    """Scores by row (``base``, then phases) and task; None where nothing was scored."""

    tasks: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    scores: tuple[tuple[float | None, ...], ...] = ()
    intervals: tuple[tuple[tuple[float, float] | None, ...], ...] = ()
    perfect: Mapping[str, float] = field(default_factory=dict)
    """Perfect scores of tasks in whose figures it is not 1."""
    acc: float | None = None
    bwt: float | None = None
    forgetting: float | None = None
    fwt: float | None = None


def read_retention(folder: Path) -> RetentionMatrix:
    """Read a run's retention matrix; an empty one where there is none yet or it cannot be read."""
    data = read_json(folder / "retention.json")
    if data is None:
        return RetentionMatrix()
    rows, tasks = tuple(data.get("rows") or ()), tuple(data.get("tasks") or ())
    scores, intervals = data.get("scores") or [], data.get("intervals") or []
    return RetentionMatrix(
        tasks=tasks,
        rows=rows,
        scores=tuple(tuple(_number(_at(scores, r, t)) for t in range(len(tasks))) for r in range(len(rows))),
        intervals=tuple(
            tuple(_interval(_at(intervals, r, t)) for t in range(len(tasks))) for r in range(len(rows))
        ),
        perfect=_perfect(data.get("perfect")),
        **{name: _number(data.get(name)) for name in _FIGURES},
    )


def read_json(path: Path) -> Json | None:
    """Read a JSON object, or None where there is none that can be read."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _at(matrix: Any, row: int, column: int) -> Any:
    try:
        return matrix[row][column]
    except (IndexError, KeyError, TypeError):
        return None


def _perfect(value: object) -> dict[str, float]:
    known = value.items() if isinstance(value, dict) else ()
    return {str(task): number for task, highest in known if (number := _number(highest))}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _interval(value: object) -> tuple[float, float] | None:
    low, high = _number(_at([value], 0, 0)), _number(_at([value], 0, 1))
    return None if low is None or high is None else (low, high)
