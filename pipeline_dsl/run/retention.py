"""The retention matrix and what the continual-learning literature reads from it.

R[i][j] is the score on task j after phase i; row 0 is the untouched base. Phases that name their own task
give the diagonal. With T phases that have one, in order, and t(i) the own task of phase i:

- ACC = mean_i R[T][t(i)] (Lopez-Paz and Ranzato 2017),
- BWT = mean_{i<T} (R[T][t(i)] - R[i][t(i)]) (the same),
- forgetting = mean_{i<T} (max_{i<=k<T} R[k][t(i)] - R[T][t(i)]) (Chaudhry et al. 2018; the maximum runs
  over the phases since the task was taught),
- FWT = mean_{i>1} (R[i-1][t(i)] - R[0][t(i)]) (Lopez-Paz and Ranzato 2017),
- learning accuracy = mean_i R[i][t(i)].

Scores that should be low (perplexity) enter as -ln(R[i][j] / R[0][j]): by how many nats they fell. All others
enter as shares of a perfect score, so that chrF, which goes to 100, does not outweigh what goes to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_dsl.api.records import Score

BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Scores by row and task; a row or cell that was not scored is absent."""

    tasks: tuple[str, ...]
    rows: tuple[str, ...]
    """``base``, then phases in order."""
    own: Mapping[str, str | None]
    """Each phase's own task."""
    cells: Mapping[tuple[str, str], Score]

    def gain(self, row: str, task: str) -> float | None:
        """R[row][task] as a number that grows with what is known, or None."""
        score = self._known(row, task)
        if score is None or score.higher_is_better:
            return score.value / score.perfect if score else None
        start = self._known(BASE, task)
        if start is None or start.value <= 0 or score.value <= 0:
            return None
        return -math.log(score.value / start.value)

    def best_before(self, row: str, task: str) -> Score | None:
        """The best score on a task in the rows above ``row``."""
        earlier = [self._known(r, task) for r in self.rows[: self.rows.index(row)]]
        scores = [s for s in earlier if s is not None]
        if not scores:
            return None
        pick = max if scores[0].higher_is_better else min
        return pick(scores, key=lambda s: s.value)

    def summary(self) -> dict[str, float | None]:
        """ACC, BWT, forgetting, FWT and learning accuracy; None where a score they need is missing."""
        taught = [(row, task) for row in self.rows[1:] if (task := self.own.get(row)) is not None]
        if not taught:
            return dict.fromkeys(("acc", "bwt", "forgetting", "fwt", "learning_accuracy"))
        last = self.rows[-1]
        earlier = [(row, task) for row, task in taught if row != last]
        return {
            "acc": _mean([self.gain(last, task) for _, task in taught]),
            "bwt": _mean([_minus(self.gain(last, task), self.gain(row, task)) for row, task in earlier]),
            "forgetting": _mean([self._forgotten(row, task, last) for row, task in earlier]),
            "fwt": _mean([self._forward(row, task) for row, task in taught if row != self.rows[1]]),
            "learning_accuracy": _mean([self.gain(row, task) for row, task in taught]),
        }

    def to_json(self) -> dict[str, Any]:
        """The matrix as ``runs show --json`` prints it; unscored cells are null."""
        scored = [[self._known(row, task) for task in self.tasks] for row in self.rows]
        return {
            "tasks": list(self.tasks),
            "rows": list(self.rows),
            "scores": [[s.value if s else None for s in row] for row in scored],
            "intervals": [[_interval(s) for s in row] for row in scored],
            "perfect": self._perfect(),
            **self.summary(),
        }

    def _perfect(self) -> dict[str, float]:
        """The perfect score of each task that has another one than 1."""
        scores = [(task, self._known(row, task)) for task in self.tasks for row in self.rows]
        return {task: s.perfect for task, s in scores if s and s.higher_is_better and s.perfect != 1.0}

    def _known(self, row: str, task: str) -> Score | None:
        """A score that is a number: what came out as none was not measured."""
        score = self.cells.get((row, task))
        return score if score and math.isfinite(score.value) else None

    def _forgotten(self, row: str, task: str, last: str) -> float | None:
        since = self.rows[self.rows.index(row) : self.rows.index(last)]
        known = [g for r in since if (g := self.gain(r, task)) is not None]
        return _minus(max(known), self.gain(last, task)) if known else None

    def _forward(self, row: str, task: str) -> float | None:
        before = self.rows[self.rows.index(row) - 1]
        return _minus(self.gain(before, task), self.gain(BASE, task))


def _interval(score: Score | None) -> list[float] | None:
    if score is None or not (math.isfinite(score.low) and math.isfinite(score.high)):
        return None
    return [score.low, score.high]


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
