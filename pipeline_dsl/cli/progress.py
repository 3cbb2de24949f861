"""What a user sees of a run: a listener that puts events into words on a screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from pipeline_dsl.api import events, hookimpl
from pipeline_dsl.cli.doubts import BASE
from pipeline_dsl.cli.figures import count, counted, duration, share
from pipeline_dsl.cli.scored import Scored
from pipeline_dsl.cli.screens import Screen
from pipeline_dsl.cli.terminal import Paint

_INDENT = "  "
_COUNTED = re.compile(r"\bstep (\d+) of (\d+)\b")
"""What a plugin says while it builds or prepares something step by step."""


class Progress:
    """Says each event in one line; training steps go to the screen's own way of showing them.

    Args:
        screen: where it is shown.
        paint: colours, or none.
        tasks: names of the run's tasks in their order.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        screen: Screen,
        paint: Paint,
        tasks: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = screen
        self._paint = paint
        self._tasks = tuple(tasks)
        self._clock = clock
        self._scored = Scored(tasks, paint)
        self._scoring: list[events.EvaluationCompleted] = []
        self._to_score: list[str] = []
        self._first_step = (0, 0.0)
        self._reused = False
        self._indent = ""
        self.run: str | None = None
        """The id of the run, once it began."""

    def say(self, text: str) -> None:
        """Show what the engine or a plugin has to say; ``step 3 of 9`` in it moves a bar."""
        self._flush()
        steps = _COUNTED.search(text)
        if steps:
            self._screen.count(text, int(steps[1]), int(steps[2]))
            return
        self._screen.line(self._indent + text)
        if self.run is None:
            self._screen.busy(text)

    def prepare(self) -> None:
        """Say that the base is being looked at."""
        self._screen.busy("looking at the base")

    @hookimpl
    def medrecipe_run_start(self, event: events.RunStart) -> None:
        """Say which run this is."""
        self.run = event.run
        self._screen.stop()
        again = "goes on" if event.resumed else "begins"
        sizes = f"{counted(len(event.phases), 'phase')}, {counted(len(self._tasks), 'task')}"
        self._screen.line(f"run {self._paint.bold(event.run)} of {event.recipe} {again}: {sizes}")
        if self._tasks:
            self._screen.line(f"{self._paint.bold(BASE)} (before any training)")
            self._expect_scores("loading the base, then ")
        self._indent = _INDENT

    @hookimpl
    def medrecipe_phase_start(self, event: events.PhaseStart) -> None:
        """Say which phase begins."""
        self._screen.stop()
        self._reused = event.reused
        name = self._paint.bold(event.phase)
        self._screen.line(
            f"phase {event.index + 1}/{event.total} {name}{' (reused)' if event.reused else ''}"
        )
        if event.reused:
            self._expect_scores()
        else:
            self._screen.busy("loading the base and its adapters")

    @hookimpl
    def medrecipe_model_ready(self, event: events.ModelReady) -> None:
        """Say how much of the model is trained, and where."""
        self._detail(
            f"trains {count(event.trainable_parameters)} of {count(event.total_parameters)} parameters"
            f" ({share(event.trainable_parameters, event.total_parameters)})"
            f" on {event.device} in {event.dtype}"
        )
        self._screen.busy("reading the samples")

    @hookimpl
    def medrecipe_stage_started(self, event: events.StageStarted) -> None:
        """Say which stage begins, and when it will be over."""
        self._flush()
        self._screen.stop()
        until = f", until {event.until}" if event.until else ""
        self._detail(
            f"stage {event.index + 1}/{event.total} {self._paint.bold(event.stage)}:"
            f" at most {counted(event.max_steps, 'step')}{until}"
        )
        self._screen.busy("reading the samples")

    @hookimpl
    def medrecipe_started(self, event: events.Started) -> None:
        """Start the display of steps."""
        self._first_step = (event.step, self._clock())
        self._screen.start(event.phase, event.step, event.max_steps)

    @hookimpl
    def medrecipe_iteration_started(self) -> None:
        """Say the scoring that came before."""
        self._flush()

    @hookimpl
    def medrecipe_iteration_completed(self, event: events.IterationCompleted) -> None:
        """Show a step."""
        self._flush()
        first, since = self._first_step
        done = event.step - first
        left = (self._clock() - since) / done * (event.max_steps - event.step) if done > 0 else None
        self._screen.step(event, left)

    @hookimpl
    def medrecipe_epoch_completed(self, event: events.EpochCompleted) -> None:
        """Say it beside the bar: what follows may take its time."""
        self._flush()
        self._screen.remark(f"epoch {event.epoch} is done")

    @hookimpl
    def medrecipe_completed(self) -> None:
        """End the display of steps."""
        self._flush()
        self._screen.stop()
        self._expect_scores()

    @hookimpl
    def medrecipe_terminated(self, event: events.Terminated) -> None:
        """Say why training ended early."""
        self._flush()
        self._screen.stop()
        self._detail(
            f"{self._paint.yellow('stopped')} at step {event.step}/{event.max_steps}: {event.reason}"
        )
        self._expect_scores()

    @hookimpl
    def medrecipe_exception_raised(self, event: events.ExceptionRaised) -> None:
        """Say that the phase failed."""
        self._flush()
        self._screen.stop()
        self._detail(f"{self._paint.red('failed')}: {event.message}")

    @hookimpl
    def medrecipe_evaluation_completed(self, event: events.EvaluationCompleted) -> None:
        """Say a score; one that was taken in training waits for those that are taken with it."""
        if event.step is not None:
            self._scoring.append(event)
            self._screen.remark(f"{event.task} is scored")
            return
        for line in self._scored.row(event):
            self._screen.line(line)
        self._to_score = [task for task in self._to_score if task != event.task]
        self._still_to_score()

    @hookimpl
    def medrecipe_checkpoint_saved(self, event: events.CheckpointSaved) -> None:
        """Say that a checkpoint is there."""
        self._flush()
        self._detail(self._paint.dim(f"checkpoint at step {event.step}"))

    @hookimpl
    def medrecipe_phase_end(self, event: events.PhaseEnd) -> None:
        """Say how the phase ended."""
        self._flush()
        self._screen.stop()
        if event.status == "rejected" or not (self._reused or event.status == "reused"):
            colour = self._paint.green if event.status == "finished" else self._paint.red
            self._detail(f"{colour(event.status)} in {duration(event.seconds)}")

    @hookimpl
    def medrecipe_run_end(self, event: events.RunEnd) -> None:
        """Say how the run ended."""
        self._flush()
        self._screen.stop()
        self._indent = ""
        colour = self._paint.green if event.status == "finished" else self._paint.red
        self._screen.line(f"run {colour(event.status)} after {duration(event.seconds)}")

    def _expect_scores(self, before: str = "") -> None:
        """All tasks are about to be scored."""
        self._to_score = list(self._tasks)
        self._still_to_score(before)

    def _still_to_score(self, before: str = "") -> None:
        if self._to_score:
            self._screen.busy(f"{before}scoring {', '.join(self._to_score)}")
        else:
            self._screen.stop()

    def _flush(self) -> None:
        """Say the scores that were taken together in training."""
        if self._scoring:
            found, self._scoring = self._scoring, []
            for line in self._scored.scoring(found):
                self._screen.line(line)

    def _detail(self, text: str) -> None:
        self._screen.line(_INDENT + text)
