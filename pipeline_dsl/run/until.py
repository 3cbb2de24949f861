"""The end of a stage: its ``until``, judged after every evaluation of the tasks by whose scores it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline_dsl.api.events import Completed, EpochCompleted, EvaluationCompleted, Event, TrainingEvent
from pipeline_dsl.api.records import Score
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.plan.model import StagePlan
from pipeline_dsl.recipe.conditions import Condition, parse_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a training stands in its phase: what came before it, and how long the phase is."""

    steps: int = 0
    """Optimizer steps of the stages before."""
    epochs: int = 0
    """Epochs of the stages before, those included that were begun and not ended."""
    max_steps: int | None = None
    """Steps of the phase if this stage and those after it take all that they may; None: the trainer's own."""

    def moved(self, event: Event) -> Event:
        """An event of this training as one of the phase."""
        if not isinstance(event, TrainingEvent) or self.max_steps is None:
            return event
        return replace(
            event,
            step=event.step + self.steps,
            epoch=event.epoch + self.epochs,
            max_steps=self.max_steps,
        )


class Desk(Protocol):
    """What the end of a stage asks for."""

    def score(self, tasks: Sequence[str]) -> Mapping[str, Score]:
        """Score tasks now."""

    def stop(self, reason: str) -> None:
        """End the training after this step."""


class Until:
    """Ends a stage's training once its condition holds as often in a row as it says.

    The tasks that it names are scored at the end of each epoch and of the stage, unless a hook did so at that
    step. Scores from before the stage do not count.
    """

    def __init__(self, stage: StagePlan) -> None:
        text = stage.until or ""
        self._condition: Condition | None = parse_condition(text, _whole(text))[0]
        self._tasks: Sequence[str] = stage.tasks
        self._reason = f"stage `{stage.name}`: {text}"
        self._scored: dict[str, int] = {}
        self._values: dict[str, float] = {}
        self._judged: int | None = None
        self._before = 0
        self._streak = 0
        self._fresh = False
        self._told = False

    @property
    def reached(self) -> bool:
        """Whether the condition held often enough."""
        return self._condition is not None and self._streak >= self._condition.repeats

    @property
    def figures(self) -> Mapping[str, float]:
        """The newest values of what the condition names."""
        names = dict.fromkeys(ref.name for ref in self._condition.names) if self._condition else {}
        return {name: self._values[name] for name in names if name in self._values}

    def act(self, event: Event, desk: Desk) -> None:
        """Take scores; at the trainer's events have missing ones taken, and judge."""
        if isinstance(event, EvaluationCompleted):
            self._take(event)
        elif isinstance(event, TrainingEvent):
            if isinstance(event, EpochCompleted | Completed):
                missing = [task for task in self._tasks if self._scored.get(task) != event.step]
                if missing:
                    desk.score(missing)
            if self._fresh:
                self._judge(event.step)
            if self.reached and not self._told:
                self._told = True
                desk.stop(self._reason)

    def state(self) -> dict[str, Any]:
        """What has to be known to go on, for JSON."""
        return {
            "scored": dict(self._scored),
            "values": dict(self._values),
            "judged": self._judged,
            "before": self._before,
            "streak": self._streak,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._scored, self._values = dict(state["scored"]), dict(state["values"])
        self._judged, self._before, self._streak = state["judged"], state["before"], state["streak"]

    def _take(self, event: EvaluationCompleted) -> None:
        if event.task in self._tasks and event.step is not None:
            details = {f"{event.task}.{name}": value for name, value in event.score.details.items()}
            self._values |= {event.task: event.score.value, **details}
            self._scored[event.task] = event.step
            self._fresh = True

    def _judge(self, step: int) -> None:
        """Count a look; what is scored later at the same step is part of the same look."""
        if step != self._judged:
            self._before, self._judged = self._streak, step
        holds = self._condition is not None and self._condition.holds(self._values)
        self._streak = self._before + 1 if holds else 0
        self._fresh = False


def _whole(text: str) -> Span:
    return Span(Source.of("plan", text), 0, len(text))
