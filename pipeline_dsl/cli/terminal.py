"""What a stream can show: colours, a redrawn progress bar. The only reader of NO_COLOR and TERM."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from typing import TextIO

import click

_HANGUL_VOWELS_AND_FINALS = range(0x1160, 0x1200)
"""Conjoining jamo that terminals draw onto the consonant before them."""


def is_live(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose lines can be drawn again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


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


def cells(text: str) -> int:
    """Return how many terminal cells a text takes: wide letters such as Hangul two, combining marks none."""
    return len(text) if text.isascii() else sum(_cells(c) for c in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or ord(character) in _HANGUL_VOWELS_AND_FINALS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text up with spaces to a width in cells; ``right`` puts it at the right."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space
