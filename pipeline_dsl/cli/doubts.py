"""What is said of scores that should not be believed: the reason once, two words after that."""

from __future__ import annotations

from enum import Enum

from pipeline_dsl.api.events import EvaluationCompleted
from pipeline_dsl.cli.terminal import Paint

BASE = "base"


class Occasion(Enum):
    """When a task was scored."""

    BASE = "on the base"
    TRAINING = "in training"
    PHASE = "after a phase"

    @classmethod
    def of(cls, event: EvaluationCompleted) -> Occasion:
        """The occasion of a scoring."""
        if event.phase == BASE:
            return cls.BASE
        return cls.PHASE if event.step is None else cls.TRAINING


class Doubts:
    """Remembers which doubts were told of which task on which occasion."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._told: set[tuple[str, Occasion]] = set()
        self._reasons: dict[str, str] = {}

    def words(self, event: EvaluationCompleted) -> tuple[str, str]:
        """Return what to say beside a score and what below it; both "" where it may be believed."""
        reason = event.score.invalid
        if reason is None:
            return "", ""
        key = event.task, Occasion.of(event)
        again = key in self._told or self._reasons.get(event.task) == reason
        self._told.add(key)
        self._reasons[event.task] = reason
        if again:
            return self._paint.yellow("not believed"), ""
        return "", f"{self._paint.yellow('not to be believed')}: {reason}"
