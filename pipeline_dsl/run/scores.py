"""The scores of a run: kept on disk after every row, found again by fingerprint in earlier runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_dsl.api.records import Score
from pipeline_dsl.plan.hashing import base_fingerprint
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.run import reuse
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.retention import BASE, Retention
from pipeline_dsl.run.scoring import score_from_json, score_to_json

NAME = "retention.json"
Json = dict[str, Any]
Known = dict[tuple[str, str], Score]


class Scores:
    """The retention matrix of one run as it fills; what a run that goes on has measured is in it at once."""

    def __init__(self, plan: Plan, run: RunFolder, runs: Path, *, fresh: bool) -> None:
        self._plan = plan
        self._run = run
        own = _by_fingerprint(reuse.cells_in(run.path))
        self._known = own if fresh else _known(runs / plan.project) | own
        self._cells = {
            (row, task.name): own[key]
            for row in (BASE, *(p.name for p in plan.phases))
            for task in plan.tasks
            if (key := (self._row_key(row), task.fingerprint)) in own
        }
        self._rows = {row for row, _ in self._cells}

    def known(self, row: str) -> dict[str, Score]:
        """Scores of a row that were measured before, under the same fingerprints of model and task."""
        found = {t.name: self._known.get((self._row_key(row), t.fingerprint)) for t in self._plan.tasks}
        return {task: score for task, score in found.items() if score is not None}

    def add(self, row: str, scores: Mapping[str, Score]) -> None:
        """Fill a row and write the matrix."""
        self._rows.add(row)
        self._cells |= {(row, task): score for task, score in scores.items()}
        matrix = self.retention().to_json()
        self._run.write_json(NAME, {"schema_version": 1, **matrix, "cells": self._stored()})

    def retention(self) -> Retention:
        """The matrix so far."""
        every = (BASE, *(p.name for p in self._plan.phases))
        return Retention(
            tasks=tuple(t.name for t in self._plan.tasks),
            rows=tuple(row for row in every if row in self._rows),
            own={p.name: p.task for p in self._plan.phases},
            cells=dict(self._cells),
        )

    def _stored(self) -> list[Json]:
        return [
            {
                "row": row,
                "task": task,
                "row_fingerprint": self._row_key(row),
                "task_fingerprint": self._plan.task(task).fingerprint,
                "score": _without_nan(score_to_json(score)),
            }
            for (row, task), score in self._cells.items()
        ]

    def _row_key(self, row: str) -> str:
        return base_fingerprint(self._plan) if row == BASE else self._plan.phase(row).fingerprint


def _known(project: Path) -> Known:
    known: Known = {}
    for cells in reuse.cells_of(project):
        known = _by_fingerprint(cells) | known
    return known


def _by_fingerprint(cells: Sequence[Any]) -> Known:
    """Scores by the fingerprints of what was scored and how; what cannot be read was not measured."""
    known: Known = {}
    for cell in cells:
        try:
            key = str(cell["row_fingerprint"]), str(cell["task_fingerprint"])
            score = score_from_json(cell["score"])
        except (KeyError, TypeError, ValueError):
            continue
        if all(key):
            known[key] = score
    return known


def _without_nan(score: Json) -> Json:
    """A score without numbers that JSON does not have; with a null for its value it is not read again."""
    plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in score.items()}
    return {**plain, "details": {k: v for k, v in score["details"].items() if math.isfinite(v)}}
