# ruff: noqa: ARG002 - all callbacks of the Trainer are called with the same arguments
"""Our events out of the Trainer's callbacks, and the engine's wishes into its control."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from medrecipe_plugins.trainers import _checkpoints, _weights
from pipeline_dsl.api import events

if TYPE_CHECKING:
    from medrecipe_plugins.trainers._batches import Batches
    from medrecipe_plugins.trainers._ledger import Step, Totals
    from pipeline_dsl.api import TrainJob


class EventCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Fires our events in their order.

    A wish to stop that comes outside of a step is obeyed after the next one; at once where training is about
    to go on from a checkpoint, for then it was told before. A checkpoint wanted at the last step of an epoch
    is written after ``epoch_completed``, so that resuming from it repeats no event. Weights are kept at once.
    """

    def __init__(
        self, job: TrainJob, *, total: int, per_epoch: int, source: Batches, step: Step, totals: Totals
    ) -> None:
        self._job = job
        self._total = total
        self._per_epoch = per_epoch
        self._source = source
        self._step = step
        self._totals = totals
        self._save_wanted = False
        self.stopped: str | None = None
        """Why training was told to stop."""

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._source.set_epoch(state.global_step // self._per_epoch)
        if state.global_step % self._per_epoch == 0:
            self._tell(events.EpochStarted(**self._point(state.global_step)))

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._step.began = time.perf_counter()
        self._tell(events.IterationStarted(**self._point(state.global_step)))

    def on_pre_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        self._step.learning_rate = float(given["optimizer"].param_groups[0]["lr"])

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        self._totals.add(self._step.loss, self._step.tokens)
        self._tell(self._iteration(state.global_step))
        self._save_wanted |= control.should_save
        epoch_is_over = state.global_step % self._per_epoch == 0
        control.should_save = self._save_wanted and not epoch_is_over
        return self._obey(control)

    def on_epoch_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        if state.global_step % self._per_epoch == 0:
            point = self._point(state.global_step, done=True)
            self._tell(events.EpochCompleted(**point, loss=self._totals.close_epoch()))
            control.should_save = self._save_wanted
        return self._obey(control)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        folder = _checkpoints.path_of(self._job.folder, state.global_step)
        self._tell(events.CheckpointSaved(**self._point(state.global_step, done=True), folder=str(folder)))
        self._save_wanted = False
        return self._obey(control)

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.finish(state.global_step)

    def begin(self, step: int) -> None:
        """Fire the first event: so many steps are done."""
        self._tell(events.Started(**self._point(step)))

    def finish(self, step: int) -> None:
        """Fire the last event: ``completed`` where all steps are done, whoever wanted what."""
        point = self._point(step, done=True)
        reason = self.stopped if step < self._total else None
        self._tell(events.Completed(**point) if reason is None else events.Terminated(**point, reason=reason))
        self.stopped = reason

    def _tell(self, event: events.TrainingEvent) -> None:
        wish = self._job.fire(event)
        if wish.keep:
            self._keep(event.step)
        self._save_wanted |= wish.checkpoint
        if wish.stop and self.stopped is None:
            self.stopped = wish.reason or f"told to stop at {event.name}"

    def _keep(self, step: int) -> None:
        """Keep the weights as they are now."""
        job = self._job
        with _checkpoints.told(f"the weights of step {step} cannot be kept", job.folder):
            _checkpoints.keep(job.folder, step, lambda folder: _weights.write(job.model.module, folder, step))

    def _obey(self, control: TrainerControl) -> TrainerControl:
        control.should_training_stop |= self.stopped is not None
        return control

    def _iteration(self, step: int) -> events.IterationCompleted:
        return events.IterationCompleted(
            **self._point(step, done=True),
            loss=self._step.loss,
            learning_rate=self._step.learning_rate,
            grad_norm=self._step.grad_norm,
            label_tokens=self._step.tokens,
            seconds=time.perf_counter() - self._step.began,
        )

    def _point(self, step: int, *, done: bool = False) -> dict[str, Any]:
        """Fields of every training event. ``done``: it belongs to the epoch of the step just done."""
        epoch = max(0, step - int(done)) // self._per_epoch + 1
        return {"phase": self._job.phase, "step": step, "max_steps": self._total, "epoch": epoch}
