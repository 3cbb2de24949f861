"""The points of a run at which plugins and recipes may act, and where each one fires.

    run_start
    score tasks on the untouched base                -> evaluation_completed, one a task
    for phase in order:
        phase_start
        load base, attach stack                      -> model_ready
        for stage in stages:                         (once, without its two events, where there are none)
            stage_started
            started
            for epoch in epochs:
                epoch_started
                for batch in epoch:
                    iteration_started
                    one optimizer step                   -> iteration_completed
                    (an action asked for it) score tasks -> evaluation_completed, one a task
                    (an action asked for it) save        -> checkpoint_saved
                epoch_completed
            completed    (or: terminated, an action stopped it; exception_raised, it failed)
            stage_completed
        write adapter
        score tasks                                  -> evaluation_completed, one a task
        judge retention                              -> phase_end
    run_end

As in Ignite an iteration is one optimizer step, counts start at 1 and go on across epochs, and a binding
with ``every: n`` acts when the count of its event in this phase is a multiple of n. In a phase with stages
steps and epochs go on from stage to stage; all other counts begin anew in each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from pipeline_dsl.api.records import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. ``name`` is what recipes write and ``medrecipe_NAME`` the hook."""

    name: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart(Event):
    """A run begins (or goes on, ``resumed``)."""

    name: ClassVar[str] = "run_start"
    run: str
    """The run's id."""
    project: str
    recipe: str
    profile: str | None
    phases: tuple[str, ...]
    """Names in the order in which they run."""
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd(Event):
    """A run is over."""

    name: ClassVar[str] = "run_end"
    run: str
    status: str
    """``finished``, ``failed``, ``rejected`` or ``interrupted``."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEvent(Event):
    """Something that happened in a phase."""

    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStart(PhaseEvent):
    """A phase begins."""

    name: ClassVar[str] = "phase_start"
    index: int
    """0-based place among the phases of the run."""
    total: int
    reused: bool
    """Whether a finished phase of the same fingerprint stands in for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReady(PhaseEvent):
    """The base is loaded and the phase's stack attached."""

    name: ClassVar[str] = "model_ready"
    trainable_parameters: int
    total_parameters: int
    device: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent(PhaseEvent):
    """Something that happened to a stage of a phase."""

    stage: str
    index: int
    """0-based place among the stages of the phase."""
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(StageEvent):
    """A stage begins, or goes on after a resume."""

    name: ClassVar[str] = "stage_started"
    max_steps: int
    """Optimizer steps that it may take."""
    until: str | None
    """The condition that ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompleted(StageEvent):
    """A stage is over, its adapters written."""

    name: ClassVar[str] = "stage_completed"
    steps: int
    """Optimizer steps done in it."""
    stopped: str | None
    """Why it ended before its last step, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEvent(PhaseEvent):
    """Something that happened in the training loop."""

    step: int
    """Optimizer steps done in this phase."""
    max_steps: int
    epoch: int
    """1-based."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(TrainingEvent):
    """The training loop begins."""

    name: ClassVar[str] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochStarted(TrainingEvent):
    """An epoch begins."""

    name: ClassVar[str] = "epoch_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationStarted(TrainingEvent):
    """An optimizer step begins; ``step`` counts those already done."""

    name: ClassVar[str] = "iteration_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationCompleted(TrainingEvent):
    """An optimizer step is done."""

    name: ClassVar[str] = "iteration_completed"
    loss: float
    """Mean over the label tokens of this step's batch, in nats."""
    learning_rate: float
    grad_norm: float
    """L2 norm before clipping."""
    label_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochCompleted(TrainingEvent):
    """An epoch is done."""

    name: ClassVar[str] = "epoch_completed"
    loss: float
    """Mean over the label tokens of the epoch, in nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(TrainingEvent):
    """A checkpoint is complete on disk."""

    name: ClassVar[str] = "checkpoint_saved"
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(TrainingEvent):
    """The loop came to its end."""

    name: ClassVar[str] = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated(TrainingEvent):
    """An action, or the user, ended the loop early."""

    name: ClassVar[str] = "terminated"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRaised(PhaseEvent):
    """The phase failed."""

    name: ClassVar[str] = "exception_raised"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationCompleted(PhaseEvent):
    """A task was scored. ``phase`` is ``base`` for the untouched model."""

    name: ClassVar[str] = "evaluation_completed"
    task: str
    score: Score
    step: int | None
    """Optimizer steps done when it was scored in training; None before and after training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnd(PhaseEvent):
    """A phase is over, its adapter written."""

    name: ClassVar[str] = "phase_end"
    status: str
    """``finished``, ``reused`` or ``rejected``."""
    adapter: str | None
    """Folder of the trained adapter, relative to the run's folder."""
    seconds: float


EVENTS: tuple[type[Event], ...] = (
    RunStart, PhaseStart, ModelReady, StageStarted, Started, EpochStarted, IterationStarted,
    IterationCompleted, EpochCompleted, EvaluationCompleted, CheckpointSaved, Completed, Terminated,
    StageCompleted, ExceptionRaised, PhaseEnd, RunEnd,
)  # fmt: skip
"""Every event, in the order in which a run first meets them."""


def event_fields(event: type[Event]) -> tuple[str, ...]:
    """Names of an event's fields: what a condition bound to it may use."""
    return tuple(f.name for f in fields(event))
