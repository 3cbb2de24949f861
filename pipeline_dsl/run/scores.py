"""The scores of a run: kept on disk after every row, found again by fingerprint in earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_dsl.api.records import Score
from pipeline_dsl.plan.hashing import digest
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.run import reuse
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.retention import BASE, Retention
from pipeline_dsl.run.scoring import score_from_json, score_to_json

NAME = "retention.json"


class Scores:
    """The retention matrix of one run as it fills."""

    def __init__(self, plan: Plan, run: RunFolder, runs: Path, *, fresh: bool) -> None:
        self._plan = plan
        self._run = run
        self._cells: dict[tuple[str, str], Score] = {}
        self._rows: list[str] = []
        self._known = {} if fresh else _known(runs / plan.project)
        own = run.read_json(NAME)
        if own is not None:
            self._known |= _by_fingerprint(own["cells"])

    def known(self, row: str) -> dict[str, Score]:
        """Scores of a row that were measured before, under the same fingerprints of model and task."""
        found = {t.name: self._known.get((self._row_key(row), t.fingerprint)) for t in self._plan.tasks}
        return {task: score for task, score in found.items() if score is not None}

    def add(self, row: str, scores: Mapping[str, Score]) -> None:
        """Fill a row and write the matrix."""
        if row not in self._rows:
            self._rows.append(row)
        self._cells |= {(row, task): score for task, score in scores.items()}
        self._run.write_json(
            NAME, {"schema_version": 1, **self.retention().to_json(), "cells": self._stored()}
        )

    def retention(self) -> Retention:
        """The matrix so far."""
        return Retention(
            tasks=tuple(t.name for t in self._plan.tasks),
            rows=tuple(self._rows),
            own={p.name: p.task for p in self._plan.phases},
            cells=dict(self._cells),
        )

    def _stored(self) -> list[dict[str, Any]]:
        return [
            {
                "row": row,
                "task": task,
                "row_fingerprint": self._row_key(row),
                "task_fingerprint": self._plan.task(task).fingerprint,
                "score": score_to_json(score),
            }
            for (row, task), score in self._cells.items()
        ]

    def _row_key(self, row: str) -> str:
        if row != BASE:
            return self._plan.phase(row).fingerprint
        base = self._plan.base
        return digest([base.weights_sha256, base.tokenizer_sha256, self._plan.device]) if base else ""


def _known(project: Path) -> dict[tuple[str, str], Score]:
    known: dict[tuple[str, str], Score] = {}
    for cells in reuse.cells_of(project):
        for key, score in _by_fingerprint(list(cells)).items():
            known.setdefault(key, score)
    return known


def _by_fingerprint(cells: list[dict[str, Any]]) -> dict[tuple[str, str], Score]:
    return {(c["row_fingerprint"], c["task_fingerprint"]): score_from_json(c["score"]) for c in cells}
