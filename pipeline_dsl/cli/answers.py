"""Answers on a screen as they come: one after another, or two side by side."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import click

from pipeline_dsl.api.generation import Piece
from pipeline_dsl.cli.terminal import Paint, is_live

if TYPE_CHECKING:
    from rich.table import Table

_KEPT = "\n\t"


class Answers(Protocol):
    """Where the answers to one question are shown."""

    def piece(self, name: str, piece: Piece) -> None:
        """Show what one step added to the answer of that name."""

    def close(self) -> None:
        """No more comes."""


def open_answers(names: Sequence[str]) -> Answers:
    """Return what fits stdout: columns on a terminal for several, else one after the other."""
    if len(names) == 1:
        return Single()
    if is_live(sys.stdout):
        return Columns(names)
    return Sections(names)


def printable(text: str) -> str:
    """Return a text without characters that would steer a terminal."""
    return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in {"Cc", "Cs"})


class Single:
    """One answer, token by token, without white space before its first word."""

    def __init__(self) -> None:
        self._begun = False
        self._ended = True

    def piece(self, name: str, piece: Piece) -> None:  # noqa: ARG002 - there is one
        """Write what is new at once."""
        text = printable(piece.text)
        if not self._begun:
            text = text.lstrip()
        if text:
            self._begun, self._ended = True, text.endswith("\n")
            click.echo(text, nl=False)

    def close(self) -> None:
        """End the line."""
        click.echo("" if self._ended else "\n", nl=False)


class Sections:
    """Several answers into a file or a pipe: each under its name, once it is whole."""

    def __init__(self, names: Sequence[str]) -> None:
        self._texts = dict.fromkeys(names, "")

    def piece(self, name: str, piece: Piece) -> None:
        """Keep it."""
        self._texts[name] += printable(piece.text)

    def close(self) -> None:
        """Write them all."""
        for name, text in self._texts.items():
            click.echo(f"[{name}]\n{text.strip()}\n")


class Columns:
    """Several answers side by side on a terminal, token by token."""

    def __init__(self, names: Sequence[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._texts = dict.fromkeys(names, "")
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop", transient=True)
        self._live.start()

    def piece(self, name: str, piece: Piece) -> None:
        """Draw the columns again."""
        self._texts[name] += printable(piece.text)
        self._live.update(side_by_side(self._texts), refresh=bool(piece.text))

    def close(self) -> None:
        """Leave them standing, whole."""
        self._live.stop()
        self._console.print(side_by_side(self._texts))


def side_by_side(texts: Mapping[str, str]) -> Table:
    """Return a table with a column for each text."""
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(expand=True, box=None, padding=(0, 2, 0, 0))
    for name in texts:
        table.add_column(Text(name, style="bold" if Paint.of(sys.stdout).enabled else ""), ratio=1)
    table.add_row(*(Text(text.strip()) for text in texts.values()))
    return table
