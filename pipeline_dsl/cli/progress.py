"""What a user sees of a run: a listener that puts events into words on a screen."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline_dsl.api import events, hookimpl
from pipeline_dsl.cli.figures import change, count, counted, duration, figure, interval
from pipeline_dsl.cli.screens import Screen
from pipeline_dsl.cli.terminal import Paint

_BASE = "base"
_INDENT = "  "


class Progress:
    """Says each event in one line; training steps go to the screen's own way of showing them.

    Args:
        screen: where it is shown.
        paint: colours, or none.
        clock: seconds that only grow.
    """

    def __init__(self, screen: Screen, paint: Paint, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._paint = paint
        self._clock = clock
        self._base: dict[str, float] = {}
        self._first_step = (0, 0.0)
        self.run: str | None = None
        """The id of the run, once it began."""

    @hookimpl
    def medrecipe_run_start(self, event: events.RunStart) -> None:
        """Say which run this is."""
        self.run = event.run
        again = "goes on" if event.resumed else "begins"
        phases = f"{counted(len(event.phases), 'phase')}, {', '.join(event.phases)}"
        self._say(f"run {self._paint.bold(event.run)} of {event.recipe} {again}: {phases}")

    @hookimpl
    def medrecipe_phase_start(self, event: events.PhaseStart) -> None:
        """Say which phase begins."""
        name = self._paint.bold(event.phase)
        self._say(f"phase {event.index + 1}/{event.total} {name}{' (reused)' if event.reused else ''}")

    @hookimpl
    def medrecipe_model_ready(self, event: events.ModelReady) -> None:
        """Say how much of the model is trained, and where."""
        share = 100 * event.trainable_parameters / max(1, event.total_parameters)
        self._detail(
            f"trains {count(event.trainable_parameters)} of {count(event.total_parameters)} parameters"
            f" ({share:.2g} %) on {event.device} in {event.dtype}"
        )

    @hookimpl
    def medrecipe_started(self, event: events.Started) -> None:
        """Start the display of steps."""
        self._first_step = (event.step, self._clock())
        self._screen.start(event.phase, event.step, event.max_steps)

    @hookimpl
    def medrecipe_iteration_completed(self, event: events.IterationCompleted) -> None:
        """Show a step."""
        first, since = self._first_step
        done = event.step - first
        left = (self._clock() - since) / done * (event.max_steps - event.step) if done > 0 else None
        self._screen.step(event, left)

    @hookimpl
    def medrecipe_completed(self) -> None:
        """End the display of steps."""
        self._screen.stop()

    @hookimpl
    def medrecipe_terminated(self, event: events.Terminated) -> None:
        """Say why training ended early."""
        self._screen.stop()
        self._detail(
            f"{self._paint.yellow('stopped')} at step {event.step}/{event.max_steps}: {event.reason}"
        )

    @hookimpl
    def medrecipe_exception_raised(self, event: events.ExceptionRaised) -> None:
        """Say that the phase failed."""
        self._screen.stop()
        self._detail(f"{self._paint.red('failed')}: {event.message}")

    @hookimpl
    def medrecipe_evaluation_completed(self, event: events.EvaluationCompleted) -> None:
        """Say a score, with its interval and what changed against the base."""
        score = event.score
        if event.phase == _BASE:
            self._base[event.task] = score.value
        when = "base: " if event.phase == _BASE else f"step {event.step}: " if event.step is not None else ""
        line = (
            f"{when}{event.task} {figure(score.value)} {interval(score.low, score.high)} n {count(score.n)}"
        )
        self._detail(f"{line}{self._against_base(event)}")
        if score.invalid:
            self._detail(f"{self._paint.yellow('not to be believed')}: {score.invalid}")

    @hookimpl
    def medrecipe_checkpoint_saved(self, event: events.CheckpointSaved) -> None:
        """Say that a checkpoint is there."""
        self._detail(self._paint.dim(f"checkpoint at step {event.step}"))

    @hookimpl
    def medrecipe_phase_end(self, event: events.PhaseEnd) -> None:
        """Say how the phase ended."""
        self._screen.stop()
        if event.status != "reused":
            colour = self._paint.green if event.status == "finished" else self._paint.red
            self._detail(f"{colour(event.status)} in {duration(event.seconds)}")

    @hookimpl
    def medrecipe_run_end(self, event: events.RunEnd) -> None:
        """Say how the run ended."""
        self._screen.stop()
        colour = self._paint.green if event.status == "finished" else self._paint.red
        self._say(f"run {colour(event.status)} after {duration(event.seconds)}")

    def _against_base(self, event: events.EvaluationCompleted) -> str:
        before, score = self._base.get(event.task), event.score
        if before is None or event.phase == _BASE:
            return ""
        if score.value == before:
            return ", as the base"
        better = (score.value > before) is score.higher_is_better
        word = self._paint.green("better") if better else self._paint.yellow("worse")
        return f", {change(score.value, before)} against the base ({word})"

    def _say(self, text: str) -> None:
        self._screen.line(text)

    def _detail(self, text: str) -> None:
        self._screen.line(_INDENT + text)
