"""Scoring tasks: samples through the model to a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline_dsl.api.contracts import LanguageModel, Metric
from pipeline_dsl.api.records import Sample, Score
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.hashing import verify_files
from pipeline_dsl.plan.mix import render
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.registry import Catalog


class Scorer:
    """Scores the tasks of one plan; a task's samples are rendered once."""

    def __init__(self, plan: Plan, catalog: Catalog) -> None:
        self._plan = plan
        self._catalog = catalog
        self._samples: dict[str, tuple[Sample, ...]] = {}

    def score(self, model: LanguageModel, task: str) -> Score:
        """Score one task.

        Raises:
            DataError: its data is not what was planned with.
        """
        planned = self._plan.task(task)
        if task not in self._samples:
            verify_files(self._plan, {planned.data})
            self._samples[task] = render(
                self._plan, planned.data, planned.template, planned.limit, self._catalog
            )
        metric: Metric = make(self._catalog, planned.metric)
        with working(self._plan.model, "observe"):
            seen = model.observe(self._samples[task], metric.need, max_new_tokens=metric.max_new_tokens)
        with working(planned.metric, "score"):
            return metric.score(seen)

    def score_all(
        self, model: LanguageModel, tasks: Iterable[str], tell: Callable[[str, Score], None]
    ) -> dict[str, Score]:
        """Score several tasks, telling of each as it is done."""
        scores = {}
        for task in tasks:
            scores[task] = self.score(model, task)
            tell(task, scores[task])
        return scores


def score_to_json(score: Score) -> dict[str, Any]:
    """A score as JSON."""
    return {
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "n": score.n,
        "protocol": score.protocol,
        "higher_is_better": score.higher_is_better,
        "details": dict(score.details),
        "perfect": score.perfect,
        "invalid": score.invalid,
    }


def score_from_json(data: dict[str, Any]) -> Score:
    """The score that ``score_to_json`` wrote.

    Raises:
        TypeError: it is none, or has no number for its value.
    """
    score = Score(**data)
    if not all(isinstance(v, int | float) for v in (score.value, score.low, score.high)):
        msg = "a score without its value"
        raise TypeError(msg)
    return score
