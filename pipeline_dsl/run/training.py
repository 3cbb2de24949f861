"""The training of one phase: the trainer's events to listeners and actions, their wishes back to the trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline_dsl.api.contracts import LanguageModel, Trainer, TrainJob
from pipeline_dsl.api.events import (
    EpochCompleted,
    EvaluationCompleted,
    Event,
    IterationCompleted,
    TrainingEvent,
)
from pipeline_dsl.api.records import Control, Score, TrainOutcome
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.mix import phase_samples
from pipeline_dsl.plan.model import PhasePlan
from pipeline_dsl.run.bindings import Bindings
from pipeline_dsl.run.context import Context


def train(context: Context, phase: PhasePlan, model: LanguageModel) -> TrainOutcome:
    """Train a phase's adapters on a model that carries its stack.

    Raises:
        KeyboardInterrupt: the user asked to stop; a checkpoint is written.
    """
    trainer: Trainer = make(context.catalog, phase.train)
    desk = TrainingDesk(context, phase, model)
    job = TrainJob(
        phase=phase.name,
        model=model,
        samples=phase_samples(context.plan, phase, context.catalog),
        seed=phase.seed,
        folder=context.folder.phase(phase.name) / "checkpoints",
        resume=True,
        fire=desk.fire,
        say=context.say,
    )
    with context.interrupts.training():
        outcome = trainer.train(job)
    if context.interrupts.requested:
        raise KeyboardInterrupt
    return outcome


class TrainingDesk:
    """Between a trainer and everybody who listens (``contracts.Controls`` for actions)."""

    def __init__(self, context: Context, phase: PhasePlan, model: LanguageModel) -> None:
        self._context = context
        self._phase = phase
        self._model = model
        self._bindings = Bindings(phase.hooks, context.catalog)
        self._values: dict[str, float] = {}
        self._step = 0
        self._stop: str | None = None
        self._checkpoint = False

    def fire(self, event: Event) -> Control:
        """Take an event of the trainer; return what is wanted of it."""
        self._note(event)
        self._context.listeners.tell(event)
        self._bindings.tell(event, dict(self._values), self)
        wanted = Control(
            stop=self._stop is not None or self._context.interrupts.requested,
            reason=self._stop or ("interrupted" if self._context.interrupts.requested else None),
            checkpoint=self._checkpoint or self._context.interrupts.requested,
        )
        self._checkpoint = False
        return wanted

    def evaluate(self, tasks: Sequence[str] = ()) -> Mapping[str, Score]:
        """Score tasks now: the phase's own if none are named, or all where it has none."""
        every = [t.name for t in self._context.plan.tasks]
        wanted = list(tasks) or ([self._phase.task] if self._phase.task else every)
        return self._context.scorer.score_all(self._model, wanted, self._scored)

    def checkpoint(self) -> None:
        """Have a checkpoint written after this step."""
        self._checkpoint = True

    def stop(self, reason: str) -> None:
        """End training after this step."""
        self._stop = reason

    def say(self, text: str) -> None:
        """Tell the user one line."""
        self._context.say(text)

    def _scored(self, task: str, score: Score) -> None:
        self._values[task] = score.value
        self._values |= {f"{task}.{name}": value for name, value in score.details.items()}
        event = EvaluationCompleted(phase=self._phase.name, task=task, score=score, step=self._step)
        self._context.listeners.tell(event)
        self._bindings.tell(event, dict(self._values), self)

    def _note(self, event: Event) -> None:
        if isinstance(event, TrainingEvent):
            self._step = event.step
            self._values |= {"step": event.step, "max_steps": event.max_steps, "epoch": event.epoch}
        if isinstance(event, IterationCompleted):
            self._values |= {
                "loss": event.loss,
                "learning_rate": event.learning_rate,
                "grad_norm": event.grad_norm,
                "label_tokens": event.label_tokens,
                "seconds": event.seconds,
            }
        elif isinstance(event, EpochCompleted):
            self._values["loss"] = event.loss
