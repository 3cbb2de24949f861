"""A run on a terminal: a bar for what has steps, a moving sign for what has none, lines above them."""

from __future__ import annotations

import sys

from rich import progress
from rich.console import Console
from rich.status import Status
from rich.text import Text

from pipeline_dsl.api import events
from pipeline_dsl.cli.screens import step_figures, step_line
from pipeline_dsl.cli.terminal import clipped, columns, folded

_HANG = 4
"""How far the rest of a long line is indented."""
_BAR = 20
"""Cells of a bar."""
_SIGN = "line"
"""The moving sign, in ASCII: its width is the same on every terminal."""


class LiveScreen:
    """See ``screens.Screen``."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._bar: progress.Progress | None = None
        self._status: Status | None = None
        self._last: str | None = None

    def line(self, text: str) -> None:
        """Write one line above what moves, broken between words."""
        indent = len(text) - len(text.lstrip())
        for part in folded(text, columns(sys.stdout), indent + _HANG):
            self._console.print(Text.from_ansi(part))

    def busy(self, text: str) -> None:
        """Put a moving sign before the text."""
        self._take_down()
        shown = Text(clipped(text, columns(sys.stdout) - 2 * _HANG))
        self._status = Status(shown, console=self._console, spinner=_SIGN)
        self._status.start()

    def count(self, text: str, done: int, total: int) -> None:
        """Show a bar with the text beside it."""
        self._move(done, total, text.replace(f" step {done} of {total}", ""))

    def start(self, phase: str, step: int, max_steps: int) -> None:  # noqa: ARG002 - its line said it
        """Put the bar up."""
        self._take_down()
        self._move(step, max_steps, "")

    def step(self, event: events.IterationCompleted, seconds_left: float | None) -> None:
        """Move the bar."""
        self._last = step_line(event, None)
        self._move(event.step, event.max_steps, step_figures(event, seconds_left))

    def remark(self, text: str) -> None:
        """Put it beside the bar."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], figures=text)

    def stop(self) -> None:
        """Take down what moves; the figures of the last step stay as a line."""
        self._take_down()
        if self._last is not None:
            self.line(self._last)
            self._last = None

    def _move(self, done: int, total: int, figures: str) -> None:
        if self._bar is None:
            self._take_down()
            self._bar = _new_bar(self._console, total)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, figures=figures)

    def _take_down(self) -> None:
        if self._status is not None:
            self._status.stop()
        if self._bar is not None:
            self._bar.stop()
        self._status = self._bar = None


def _new_bar(console: Console, total: int) -> progress.Progress:
    """A bar that goes away when it is taken down.

    It leaves room for the ``^C`` that a terminal writes after it: a line that wraps could not be drawn again.
    """
    bar = progress.Progress(
        progress.SpinnerColumn(_SIGN),
        progress.BarColumn(bar_width=_BAR),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        transient=True,
    )
    bar.add_task("", total=total, figures="")
    bar.start()
    return bar
