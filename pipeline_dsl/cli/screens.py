"""Where a run is shown: plain lines into a file or a pipe, or a bar that is drawn again on a terminal."""

from __future__ import annotations

import os
import sys
from typing import Protocol

import click

from pipeline_dsl.api import events
from pipeline_dsl.cli.figures import duration
from pipeline_dsl.cli.terminal import is_live

_LINES_A_PHASE = 10
_LINES_A_COUNT = 4


class Screen(Protocol):
    """What a display of a run is written to."""

    def line(self, text: str) -> None:
        """Show one line."""

    def busy(self, text: str) -> None:
        """Say what goes on until ``busy``, ``count``, ``start`` or ``stop`` is called next."""

    def count(self, text: str, done: int, total: int) -> None:
        """Say that so many steps of something other than a phase's training are done."""

    def start(self, phase: str, step: int, max_steps: int) -> None:
        """Training of a phase begins, with so many steps already done."""

    def step(self, event: events.IterationCompleted, seconds_left: float | None) -> None:
        """One step is done."""

    def remark(self, text: str) -> None:
        """Say something beside the steps, until the next one."""

    def stop(self) -> None:
        """Nothing goes on any more; may be called when nothing did."""


def open_screen() -> Screen:
    """Return the screen that fits stdout."""
    if not is_live(sys.stdout):
        return PlainScreen()
    from pipeline_dsl.cli.live import LiveScreen

    return LiveScreen()


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

    def busy(self, text: str) -> None:
        """Say nothing: what comes of it will be told."""

    def count(self, text: str, done: int, total: int) -> None:
        """Write a line whenever another quarter is done."""
        if self._passed(done, total, _LINES_A_COUNT):
            self.line(text)

    def start(self, phase: str, step: int, max_steps: int) -> None:  # noqa: ARG002 - its line said it
        """Remember where training begins."""
        self._shown = step * _LINES_A_PHASE // max(1, max_steps)

    def step(self, event: events.IterationCompleted, seconds_left: float | None) -> None:
        """Write a line whenever another tenth of the steps is done."""
        if self._passed(event.step, event.max_steps, _LINES_A_PHASE):
            self.line(step_line(event, seconds_left))

    def remark(self, text: str) -> None:
        """Say nothing: lines tell it."""

    def stop(self) -> None:
        """Begin to count anew."""
        self._shown = 0

    def _passed(self, done: int, total: int, lines: int) -> bool:
        """Whether another of so many parts of the whole is done."""
        part = done * lines // max(1, total)
        passed, self._shown = part > self._shown, max(part, self._shown)
        return passed


def step_line(event: events.IterationCompleted, seconds_left: float | None) -> str:
    """Return a step as one line, numbers of one phase below each other."""
    step = str(event.step).rjust(len(str(event.max_steps)))
    return f"  step {step}/{event.max_steps}  {step_figures(event, seconds_left)}"


def step_figures(event: events.IterationCompleted, seconds_left: float | None) -> str:
    """Return loss, learning rate and time left at a step."""
    left = f"  {duration(seconds_left)} left" if seconds_left else ""
    return f"loss {event.loss:.4f}  lr {event.learning_rate:.1e}{left}"
