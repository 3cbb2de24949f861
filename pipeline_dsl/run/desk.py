"""Between what happens and everybody who listens: plugins, trackers, displays, the recipe's hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline_dsl.api.contracts import LanguageModel
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.events import (
    EpochStarted,
    EvaluationCompleted,
    Event,
    IterationStarted,
    Started,
    TrainingEvent,
)
from pipeline_dsl.api.records import Control, Score, TrainOutcome
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import HookPlan, PhasePlan
from pipeline_dsl.plan.waiting import KEEP_BEST
from pipeline_dsl.run.bindings import Bindings
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.tally import Tally
from pipeline_dsl.run.until import Course, Until

RUN_EVENTS = frozenset({"run_start", "run_end"})
"""Events of a run, not of its phases."""
Kept = dict[str, Any]
"""Of which step weights were remembered last, and why."""


class RunDesk:
    """Lets the recipe's hooks act at the events of a run, at which nothing is being trained."""

    def __init__(self, context: Context) -> None:
        hooks: list[HookPlan] = []
        for hook in (h for p in context.plan.phases for h in p.hooks if h.on in RUN_EVENTS):
            if hook not in hooks:
                hooks.append(hook)
        self._say = context.say
        self._bindings = Bindings(hooks, context.catalog)

    def tell(self, event: Event) -> None:
        """Have the actions that are due act."""
        self._bindings.tell(event, numbers_of(event), self)

    def evaluate(self, tasks: Sequence[str] = ()) -> Mapping[str, Score]:
        """Refuse: there is no model."""
        raise _no_model(tasks)

    def checkpoint(self) -> None:
        """There is nothing to write."""

    def stop(self, reason: str) -> None:
        """There is nothing to end."""

    def keep(self, reason: str) -> None:
        """There are no weights."""

    def say(self, text: str) -> None:
        """Tell the user one line."""
        self._say(text)


class PhaseDesk:
    """Tells of a phase's events, and lets actions have what they ask for (``contracts.Controls``)."""

    def __init__(self, context: Context, phase: PhasePlan) -> None:
        self._context = context
        self._phase = phase
        self._bindings = Bindings([h for h in phase.hooks if h.on not in RUN_EVENTS], context.catalog)
        self._tally = Tally(context.folder.phase(phase.name))
        self._course = Course()
        self._until: Until | None = None
        self._model: LanguageModel | None = None
        self._values: dict[str, float] = {}
        self._scores: dict[str, float] = {}
        self._step: int | None = None
        self._stop: str | None = None
        self._checkpoint = False
        self._keep = False
        self._kept: Kept | None = None
        self._evaluating = False
        self._over = False

    def enter(self, folder: Path, course: Course, until: Until | None) -> None:
        """Begin a stage: all is counted anew but steps and epochs, and earlier scores and losses are gone.

        Args:
            folder: the stage's own.
            course: where it stands in the phase.
            until: what ends it.
        """
        hooks = [h for h in self._phase.hooks if h.on not in RUN_EVENTS]
        self._bindings = Bindings(hooks, self._context.catalog)
        self._tally = Tally(folder, course.steps)
        self._course, self._until = course, until
        self._values, self._scores = {}, {}
        self._stop, self._checkpoint, self._over = None, False, False
        self._keep, self._kept = False, None

    @contextmanager
    def training(self, model: LanguageModel) -> Iterator[None]:
        """Mark the stretch in which there is a model that actions may score and stop."""
        self._model, self._step = model, 0
        try:
            yield
        finally:
            self._model, self._step, self._over = None, None, True

    def tell(self, event: Event) -> None:
        """Tell everybody of an event.

        Raises:
            MedrecipeError: a listener or an action failed, which ends the run under its name.
        """
        self._values |= numbers_of(event)
        self._context.listeners.tell(event)
        self._bindings.tell(event, {**self._values, **self._scores}, self)
        if self._until is not None:
            self._until.act(event, self)

    def tell_all(self, event: Event) -> None:
        """Tell everybody, whoever fails: the phase is failing already."""
        with suppress(MedrecipeError):
            self._context.listeners.tell_all(event)
        with suppress(MedrecipeError):
            self._bindings.tell(event, {**self._values, **self._scores}, self)

    def tell_score(self, task: str, score: Score) -> None:
        """Tell of a score."""
        self._scores[task] = score.value
        self._scores |= {f"{task}.{name}": value for name, value in score.details.items()}
        self.tell(EvaluationCompleted(phase=self._phase.name, task=task, score=score, step=self._step))

    def fire(self, event: Event) -> Control:
        """Take an event of the trainer; return what is wanted of it."""
        event = self._course.moved(event)
        if isinstance(event, TrainingEvent):
            self._step = event.step
        if isinstance(event, Started):
            self._go_on(event.step)
        self.tell(event)
        self._tally.keep(_counted_to(event, self._step or 0), self._state())
        interrupted = self._context.interrupts.heeded()
        wanted = Control(
            stop=self._stop is not None or interrupted,
            reason=self._stop or ("interrupted" if interrupted else None),
            checkpoint=self._checkpoint or interrupted,
            keep=self._keep,
        )
        self._checkpoint = self._keep = False
        return wanted

    def evaluate(self, tasks: Sequence[str] = ()) -> Mapping[str, Score]:
        """Score tasks now: if none are named those of the phases so far, or all where these have none."""
        if self._model is None:
            raise _no_model(tasks)
        if not self._context.scoring:
            return {}
        return self.score([self._known(task) for task in tasks] or self._taught())

    def score(self, tasks: Sequence[str]) -> Mapping[str, Score]:
        """Score tasks now, whether the run scores any or not: what is learned depends on it."""
        if self._model is None:
            raise _no_model(tasks)
        if self._evaluating:
            raise MedrecipeError(
                "an evaluation asks for another, without end",
                help="bind `evaluate` to epoch_completed or iteration_completed, not to evaluation_completed",
            )
        self._evaluating = True
        try:
            return self._context.scorer.score_all(self._model, tasks, self.tell_score)
        finally:
            self._evaluating = False

    def checkpoint(self) -> None:
        """Have a checkpoint written after this step."""
        self._checkpoint = True

    def stop(self, reason: str) -> None:
        """End training after this step; nothing where it is over."""
        if not self._over:
            self._stop = reason
            self.say(f"{self._phase.name}: stopping: {reason}")

    def keep(self, reason: str) -> None:
        """Have the weights of this step remembered; nothing where training is over."""
        if self._model is not None:
            self._keep, self._kept = True, {"step": self._step, "reason": reason}

    def say(self, text: str) -> None:
        """Tell the user one line."""
        self._context.say(text)

    def tell_kept(self, outcome: TrainOutcome, training: str) -> None:
        """Say which weights are the result of a training, unless they are the last ones as ever.

        Args:
            outcome: how it ended.
            training: what it is called: the phase, and the stage if it is one.
        """
        if self._kept is not None and outcome.kept_step is not None:
            step, reason = self._kept["step"], self._kept["reason"]
            self.say(f"{training}: the weights of step {step} are kept: {reason}")
        elif self._kept is not None:
            self.say(f"{training}: the trainer keeps no weights; those of the last step are the result")
        elif any(f"{h.do.plugin}/{h.do.name}" == KEEP_BEST for h in self._phase.hooks):
            self.say(f"{training}: no score had weights kept; those of the last step are the result")

    def _state(self) -> dict[str, Any]:
        until = {"until": self._until.state()} if self._until else {}
        return {
            "hooks": self._bindings.state(),
            "scores": dict(self._scores),
            "stop": self._stop,
            "kept": self._kept,
            **until,
        }

    def _go_on(self, step: int) -> None:
        """Count on from where the training goes on."""
        state = self._tally.go_back(step, self._state())
        with suppress(KeyError, TypeError, ValueError):  # a file that somebody changed: count anew
            self._bindings.go_on(state["hooks"])
            self._scores = dict(state["scores"])
            self._stop, self._kept = state["stop"], state["kept"]
            if self._until is not None:
                self._until.restore(state["until"])

    def _known(self, task: str) -> str:
        names = [t.name for t in self._context.plan.tasks]
        if task not in names:
            raise MedrecipeError(
                f"there is no task `{task}` to evaluate",
                help="the tasks are " + ", ".join(names),
                code=PlanCode.UNKNOWN_TASK.code,
            )
        return task

    def _taught(self) -> list[str]:
        """Own tasks of the phases up to this one, each once; all tasks where there is none."""
        phases = self._context.plan.phases
        so_far = phases[: phases.index(self._phase) + 1]
        own = dict.fromkeys(p.task for p in so_far if p.task is not None)
        return list(own) or [t.name for t in self._context.plan.tasks]


def _no_model(tasks: Sequence[str]) -> MedrecipeError:
    what = ", ".join(tasks) or "tasks"
    return MedrecipeError(
        f"an action wants to score {what} where nothing is being trained",
        help="bind it to an event of the training: epoch_completed, iteration_completed",
        code=PlanCode.CANNOT_ACT.code,
    )


def _counted_to(event: Event, step: int) -> int:
    """The step of the first checkpoint whose resuming does not bring the event again."""
    return step + 1 if isinstance(event, IterationStarted | EpochStarted) else step


def numbers_of(event: Event) -> dict[str, float]:
    """The numbers that an event carries, by the names that conditions use."""
    found = {f.name: getattr(event, f.name) for f in fields(event)}
    return {k: v for k, v in found.items() if isinstance(v, int | float) and not isinstance(v, bool)}
