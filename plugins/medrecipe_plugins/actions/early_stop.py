"""``early_stop`` and ``keep_best``: what a training ends with goes by scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline_dsl.api import Controls, Provider, events, hookimpl, option

if TYPE_CHECKING:
    from pipeline_dsl.api import Score

FIGURES = frozenset({"loss", "learning_rate", "grad_norm", "label_tokens", "step", "max_steps", "epoch"})
"""What training itself gives; every other figure is a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOptions:
    """Stop after some looks in a row without a better value."""

    monitor: str = option(doc="name of the figure: `loss`, a task, `task.detail`")
    patience: int = option(3, ge=1, doc="looks without a better value after which training ends")
    min_delta: float = option(0.0, ge=0, doc="by how much a value has to be better to count")
    mode: Literal["min", "max"] | None = option(
        None, doc="whether smaller or larger is better; without it a task's metric says so, else smaller is"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOptions:
    """End with the weights of the step at which a task scored best."""

    task: str = option(doc="the task; its metric says whether smaller or larger is better")
    min_delta: float = option(0.0, ge=0, doc="by how much a score has to be better to count")


@dataclass(slots=True)
class EarlyStop:
    """Counts looks without a better value, phase by phase.

    A look is one call. At ``evaluation_completed`` it has to be one in training, and where a score is watched
    one of its own task that can be believed.
    """

    options: StopOptions
    _phase: str | None = field(default=None, init=False)
    _best: float | None = field(default=None, init=False)
    _waited: int = field(default=0, init=False)

    def act(self, event: events.Event, values: Mapping[str, float], controls: Controls) -> None:
        """Look at the newest value; a figure that is not there yet is no look."""
        phase, value = getattr(event, "phase", None), values.get(self.options.monitor)
        if phase != self._phase:
            self._phase, self._best, self._waited = phase, None, 0
        if value is None or not self._counts(event):
            return
        if self._is_better(value, event):
            self._best, self._waited = value, 0
            return
        self._waited += 1
        if self._waited >= self.options.patience:
            best = "no number" if self._best is None else f"{self._best:.4g}"
            looks = "1 look" if self._waited == 1 else f"{self._waited} looks"
            controls.stop(f"{self.options.monitor} did not get better than {best} in {looks}")

    def state(self) -> Mapping[str, Any]:
        """What has to be known to go on."""
        return {"phase": self._phase, "best": self._best, "waited": self._waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._phase, self._best, self._waited = state["phase"], state["best"], state["waited"]

    def _counts(self, event: events.Event) -> bool:
        if not isinstance(event, events.EvaluationCompleted):
            return True
        own = {event.task, *(f"{event.task}.{name}" for name in event.score.details)}
        score = self.options.monitor in own and event.score.invalid is None
        return event.step is not None and (score or self.options.monitor in FIGURES)

    def _is_better(self, value: float, event: events.Event) -> bool:
        if self._best is None:
            return math.isfinite(value)
        rises = self.options.mode == "max"
        if self.options.mode is None and isinstance(event, events.EvaluationCompleted):
            rises = self.options.monitor == event.task and event.score.higher_is_better
        return _gain(value, self._best, rises=rises) > self.options.min_delta


@dataclass(slots=True)
class KeepBest:
    """Has the weights remembered whenever a task scores better than ever; of equal scores the first counts.

    A score that cannot be believed, and one that was not taken in training, count for nothing.
    """

    options: KeepOptions
    _best: float | None = field(default=None, init=False)

    def act(self, event: events.Event, values: Mapping[str, float], controls: Controls) -> None:  # noqa: ARG002
        """Compare a score of the task with the best one so far."""
        if not isinstance(event, events.EvaluationCompleted) or event.step is None:
            return
        if event.task == self.options.task and self._is_better(event.score):
            self._best = event.score.value
            controls.keep(f"{event.task} {event.score.value:.4g}")

    def state(self) -> Mapping[str, Any]:
        """What has to be known to go on."""
        return {"best": self._best}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._best = state["best"]

    def _is_better(self, score: Score) -> bool:
        if score.invalid is not None or not math.isfinite(score.value):
            return False
        if self._best is None:
            return True
        return _gain(score.value, self._best, rises=score.higher_is_better) > self.options.min_delta


def _gain(value: float, best: float, *, rises: bool) -> float:
    return value - best if rises else best - value


@hookimpl
def medrecipe_actions() -> Sequence[Provider]:
    """Offer the actions."""
    return [
        Provider(
            name="early_stop",
            summary="end training when a figure no longer gets better",
            factory=EarlyStop,
            options=StopOptions,
        ),
        Provider(
            name="keep_best",
            summary="end with the weights of the step at which a task scored best",
            factory=KeepBest,
            options=KeepOptions,
        ),
    ]
