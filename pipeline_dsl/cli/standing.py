"""How each score of a retention matrix stands against the base and against the best before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_dsl.cli.comparison import Change, Measured, change
from pipeline_dsl.run.matrix import RetentionMatrix, read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What a run's plan says of its tasks."""

    own: Mapping[str, str]
    """The own task of each phase that has one."""
    falling: frozenset[str]
    """Tasks of which less is better."""

    @classmethod
    def of(cls, folder: Path) -> Probes:
        """Read it from a run's folder; what cannot be read is not known."""
        plan = read_json(folder / "plan.json") or {}
        return cls(
            own={p["name"]: p["task"] for p in _named(plan, "phases") if p.get("task")},
            falling=frozenset(t["name"] for t in _named(plan, "tasks") if t.get("higher_is_better") is False),
        )

    def rises(self, task: str) -> bool:
        """Whether more is better."""
        return task not in self.falling


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one score stands. ``better`` and ``worse`` are true where the 95 % intervals are apart."""

    own: bool
    """Whether the row is a phase that taught this task."""
    better: bool
    """Than the base's."""
    worse: bool
    """Than the best in the rows above."""


def standing(matrix: RetentionMatrix, probes: Probes, row: int, task: int) -> Standing:
    """Say how the score of a row on a task stands."""
    name = matrix.tasks[task]
    scores = [_measured(matrix, r, task) for r in range(row + 1)]
    above = [score for score in scores[:-1] if score is not None]
    best = (max if probes.rises(name) else min)(above, key=lambda s: s.value, default=None)
    return Standing(
        own=probes.own.get(matrix.rows[row]) == name,
        better=row > 0 and _became(scores[0], scores[-1], rises=probes.rises(name)) is Change.BETTER,
        worse=_became(best, scores[-1], rises=probes.rises(name)) is Change.WORSE,
    )


def _became(before: Measured | None, after: Measured | None, *, rises: bool) -> Change:
    if before is None or after is None:
        return Change.UNCLEAR
    return change(before, after, higher_is_better=rises)


def _measured(matrix: RetentionMatrix, row: int, task: int) -> Measured | None:
    value = matrix.scores[row][task]
    return None if value is None else Measured(value=value, bounds=matrix.intervals[row][task])


def _named(plan: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The entries of a list in a plan that have a name."""
    entries = plan.get(key)
    return [e for e in entries if isinstance(e, dict) and "name" in e] if isinstance(entries, list) else []
