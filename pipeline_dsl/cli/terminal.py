"""What a stream can show: colours, a redrawn bar, how wide. The only reader of NO_COLOR, TERM and COLUMNS."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TextIO

import click

from pipeline_dsl.syntax.cells import cells as cells  # noqa: PLC0414 - the commands take it from here
from pipeline_dsl.syntax.cells import cells_of

_PAGE = 80
"""Columns of what is no terminal."""
_NARROWEST = 40
_WORD = re.compile(r"\s*\S+")


def is_live(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose lines can be drawn again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int:
    """How many columns a stream has: a terminal's, 80 of anything else."""
    return max(_NARROWEST, shutil.get_terminal_size((_PAGE, 24)).columns) if is_live(stream) else _PAGE


def room(stream: TextIO) -> int | None:
    """The columns into which lines have to be folded: a terminal's; None where programs may read them."""
    return columns(stream) if is_live(stream) else None


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours, or none."""

    enabled: bool

    @classmethod
    def of(cls, stream: TextIO) -> Paint:
        """Colours for a terminal, unless NO_COLOR is set; none for a file or a pipe."""
        return cls(is_live(stream) and not os.environ.get("NO_COLOR"))

    def red(self, text: str) -> str:
        """For errors."""
        return self._style(text, fg="red", bold=True)

    def yellow(self, text: str) -> str:
        """For warnings."""
        return self._style(text, fg="yellow", bold=True)

    def green(self, text: str) -> str:
        """For what is well."""
        return self._style(text, fg="green")

    def blue(self, text: str) -> str:
        """For margins and second places."""
        return self._style(text, fg="blue", bold=True)

    def bold(self, text: str) -> str:
        """For what to read first."""
        return self._style(text, bold=True)

    def dim(self, text: str) -> str:
        """For what may be skipped."""
        return self._style(text, dim=True)

    def _style(
        self, text: str, *, fg: str | None = None, bold: bool | None = None, dim: bool | None = None
    ) -> str:
        return click.style(text, fg=fg, bold=bold, dim=dim) if self.enabled else text


def folded(text: str, width: int | None, hang: int = 0) -> list[str]:
    """Break a text between words into lines of at most ``width`` cells.

    All but the first are indented by ``hang``. Colours take no room. What has no space in it (a path) is
    never broken; without a width nothing is.
    """
    if width is None or cells(click.unstyle(text)) <= width:
        return [text]
    lines, line, free = [], "", width
    for word in _WORD.findall(text):
        needed = cells(click.unstyle(word))
        if line and needed > free:
            lines.append(line)
            line, free = " " * hang + word.lstrip(), width - hang - cells(click.unstyle(word.lstrip()))
        else:
            line, free = line + word, free - needed
    return [*lines, line]


def clipped(text: str, width: int) -> str:
    """Cut a text to a width in cells, with an ellipsis where something is left out."""
    if cells(text) <= width:
        return text
    kept, free = [], width - 1
    for character in text:
        free -= cells_of(character)
        if free < 0:
            break
        kept.append(character)
    return "".join(kept) + "…"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text up with spaces to a width in cells; ``right`` puts it at the right."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space
