"""``run.log``: what happens in a run, line by line for people, made for ``tail -f``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline_dsl.api import events
from pipeline_dsl.api.hooks import hookimpl
from pipeline_dsl.run.redaction import redact

FILE = "run.log"
_SECONDS = 1.0
"""Steps that follow each other faster are not all written."""


class RunLog:
    """A listener that writes each event as one dated line, flushed at once; a resumed run adds to its file.

    A line that cannot be written is left out: the history, beside it on the disk, is what ends a run then.

    Args:
        secrets: values that are never written.
        clock: seconds that only grow.
        now: the time of day.
    """

    def __init__(
        self,
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secrets = secrets
        self._clock = clock
        self._now = now
        self._path: Path | None = None
        self._last = 0.0
        self._waiting: str | None = None

    def open(self, folder: Path) -> None:
        """Write into a run's folder from now on."""
        self._path = folder / FILE

    def say(self, text: str) -> None:
        """Write a message; the last step before it comes first."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._write(waiting)
        self._write(text)

    @hookimpl
    def medrecipe_run_start(self, event: events.RunStart) -> None:
        """Write which run this is."""
        profile = f" with the profile {event.profile}" if event.profile else ""
        again = "goes on" if event.resumed else "begins"
        self.say(f"run {event.run} of {event.recipe}{profile} {again}: phases {', '.join(event.phases)}")

    @hookimpl
    def medrecipe_phase_start(self, event: events.PhaseStart) -> None:
        """Write which phase begins."""
        reused = " (reused)" if event.reused else ""
        self.say(f"phase {event.index + 1}/{event.total} {event.phase}{reused}")

    @hookimpl
    def medrecipe_model_ready(self, event: events.ModelReady) -> None:
        """Write how much of the model is trained, and where."""
        self.say(
            f"{event.phase}: trains {event.trainable_parameters:,} of {event.total_parameters:,} parameters"
            f" on {event.device} in {event.dtype}"
        )

    @hookimpl
    def medrecipe_stage_started(self, event: events.StageStarted) -> None:
        """Write which stage begins."""
        until = f", until {event.until}" if event.until else ""
        place = f"stage {event.index + 1}/{event.total} {event.stage}"
        self.say(f"{event.phase}: {place}: at most {event.max_steps} steps{until}")

    @hookimpl
    def medrecipe_stage_completed(self, event: events.StageCompleted) -> None:
        """Write how a stage ended."""
        why = f": {event.stopped}" if event.stopped else ""
        self.say(f"{event.phase}: stage {event.stage} is over after {event.steps} steps{why}")

    @hookimpl
    def medrecipe_started(self, event: events.Started) -> None:
        """Write where training begins."""
        self.say(f"{event.phase}: training begins at step {event.step} of {event.max_steps}")

    @hookimpl
    def medrecipe_iteration_completed(self, event: events.IterationCompleted) -> None:
        """Write a step, unless one was written within the last second; then it waits for what comes."""
        self._waiting = (
            f"{event.phase}: step {event.step}/{event.max_steps}  epoch {event.epoch}  loss {event.loss:.4f}"
            f"  lr {event.learning_rate:.3g}  norm {event.grad_norm:.3g}"
        )
        if self._clock() - self._last >= _SECONDS:
            self._last = self._clock()
            waiting, self._waiting = self._waiting, None
            self._write(waiting)

    @hookimpl
    def medrecipe_epoch_completed(self, event: events.EpochCompleted) -> None:
        """Write that an epoch is done."""
        self.say(f"{event.phase}: epoch {event.epoch} is done: loss {event.loss:.4f}")

    @hookimpl
    def medrecipe_evaluation_completed(self, event: events.EvaluationCompleted) -> None:
        """Write a score."""
        score = event.score
        step = "" if event.step is None else f" at step {event.step}"
        doubt = f"; not to be believed: {score.invalid}" if score.invalid else ""
        bounds = f"[{score.low:.4g}, {score.high:.4g}]"
        self.say(f"{event.phase}: {event.task} {score.value:.4g} {bounds}, n {score.n}{step}{doubt}")

    @hookimpl
    def medrecipe_checkpoint_saved(self, event: events.CheckpointSaved) -> None:
        """Write that a checkpoint is there."""
        self.say(f"{event.phase}: checkpoint at step {event.step}")

    @hookimpl
    def medrecipe_completed(self, event: events.Completed) -> None:
        """Write that training came to its end."""
        self.say(f"{event.phase}: training is done after {event.step} steps")

    @hookimpl
    def medrecipe_terminated(self, event: events.Terminated) -> None:
        """Write why training ended early."""
        self.say(f"{event.phase}: training ended at step {event.step} of {event.max_steps}: {event.reason}")

    @hookimpl
    def medrecipe_exception_raised(self, event: events.ExceptionRaised) -> None:
        """Write that a phase failed."""
        self.say(f"{event.phase}: failed: {event.message}")

    @hookimpl
    def medrecipe_phase_end(self, event: events.PhaseEnd) -> None:
        """Write how a phase ended."""
        self.say(f"{event.phase}: {event.status} after {event.seconds:.1f} s")

    @hookimpl
    def medrecipe_run_end(self, event: events.RunEnd) -> None:
        """Write how the run ended."""
        self.say(f"run {event.status} after {event.seconds:.1f} s")

    def _write(self, text: str) -> None:
        if self._path is None:
            return
        shown = "".join(c if c.isprintable() else "?" for c in " ".join(text.splitlines()))
        line = f"{self._now().isoformat(timespec='seconds')} {redact(shown, self._secrets)}\n"
        with suppress(OSError), self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(line)
