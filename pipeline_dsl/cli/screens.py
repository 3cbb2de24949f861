"""Where a run is shown: plain lines into a file or a pipe, or a bar that is drawn again on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

import click

from pipeline_dsl.api import events
from pipeline_dsl.cli.figures import duration
from pipeline_dsl.cli.terminal import is_live

if TYPE_CHECKING:
    import rich.progress

_LINES_A_PHASE = 10


class Screen(Protocol):
    """What a display of a run is written to."""

    def line(self, text: str) -> None:
        """Show one line."""

    def start(self, phase: str, step: int, max_steps: int) -> None:
        """Training of a phase begins, with so many steps already done."""

    def step(self, event: events.IterationCompleted, seconds_left: float | None) -> None:
        """One step is done."""

    def stop(self) -> None:
        """Training is over; may be called when there is none."""


def open_screen() -> Screen:
    """Return the screen that fits stdout."""
    return LiveScreen() if is_live(sys.stdout) else PlainScreen()


class PlainScreen:
    """One line after another; about ten lines of training a phase."""

    def __init__(self) -> None:
        self._shown = 0

    def line(self, text: str) -> None:
        """Write one line at once; a reader that went away does not end the run."""
        try:
            click.echo(text)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def start(self, phase: str, step: int, max_steps: int) -> None:  # noqa: ARG002 - its line said it
        """Remember where training begins."""
        self._shown = step * _LINES_A_PHASE // max(1, max_steps)

    def step(self, event: events.IterationCompleted, seconds_left: float | None) -> None:
        """Write a line whenever another tenth of the steps is done."""
        tenth = event.step * _LINES_A_PHASE // max(1, event.max_steps)
        if tenth > self._shown:
            self._shown = tenth
            left = f"  {duration(seconds_left)} left" if seconds_left else ""
            self.line(f"  step {event.step}/{event.max_steps}  {step_figures(event)}{left}")

    def stop(self) -> None:
        """Nothing to take down."""


class LiveScreen:
    """A bar for the training of a phase, with lines above it."""

    def __init__(self) -> None:
        import rich.console

        self._console = rich.console.Console(highlight=False, soft_wrap=True)
        self._progress: rich.progress.Progress | None = None

    def line(self, text: str) -> None:
        """Write one line above the bar."""
        from rich.text import Text

        self._console.print(Text.from_ansi(text))

    def start(self, phase: str, step: int, max_steps: int) -> None:
        """Put the bar up."""
        from rich import progress

        self.stop()
        self._progress = progress.Progress(
            progress.TextColumn("  {task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[figures]}"),
            console=self._console,
            transient=True,
        )
        self._progress.add_task(phase, total=max_steps, completed=step, figures="")
        self._progress.start()

    def step(self, event: events.IterationCompleted, seconds_left: float | None) -> None:
        """Move the bar."""
        if self._progress is not None:
            figures = f"{step_figures(event)}  {duration(seconds_left)} left"
            self._progress.update(self._progress.task_ids[0], completed=event.step, figures=figures)

    def stop(self) -> None:
        """Take the bar down."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def step_figures(event: events.IterationCompleted) -> str:
    """Return loss and learning rate of a step."""
    return f"loss {event.loss:.4f}  lr {event.learning_rate:.1e}"
