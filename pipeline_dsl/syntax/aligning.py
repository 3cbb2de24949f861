"""Lines to one text: cells of a table below each other, and comments beside consecutive lines too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from pipeline_dsl.syntax.cells import cells

WIDEST = 120
"""A table that would be wider is not aligned."""
WIDEST_BESIDE = 80
"""Comments beside wider lines stand right after them."""
BESIDE = 2
"""How many spaces a comment keeps from its line."""


@dataclass(slots=True)
class Line:
    """A line to be: its text, or the cells of a row of the table with that number, and the comment beside it.

    A text may go over several lines, all but the first as they are to be written.
    """

    indent: int
    text: str = ""
    blanks: int = 0
    comment: str = ""
    row: tuple[str, ...] = ()
    table: int = 0
    beside: int = 0
    """The column of the comment; the first that is free where it is 0."""

    @property
    def end(self) -> int:
        """The column behind the text."""
        _, newline, last = self.text.rpartition("\n")
        return cells(last) if newline else self.indent + cells(self.text)


def drawn(lines: list[Line]) -> str:
    """Write lines as one text, with a line feed after each."""
    rows = (line for line in lines if line.row)
    for _, table in groupby(rows, key=lambda line: line.table):
        _align_table(list(table))
    for run in _runs(lines):
        beside = max(line.end for line in run) + BESIDE
        for line in run:
            line.beside = beside
    return "".join(map(_drawn, lines))


def _align_table(rows: list[Line]) -> None:
    """Put the cells of a table below each other, and the comments behind the longest row."""
    columns = zip(*(row.row for row in rows), strict=True)
    widths = [max(map(cells, column)) for column in columns]
    fits = rows[0].indent + sum(widths) + 2 * len(widths) - 2 <= WIDEST
    for row in rows:
        row.text = "".join(_padded(row.row, widths if fits else [0] * len(widths))).rstrip(" ")
    if fits:
        beside = max(row.end for row in rows) + BESIDE
        for row in rows:
            row.beside = beside


def _padded(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    for cell, width in zip(row[:-1], widths, strict=False):
        yield f"{cell}, {' ' * (width - cells(cell))}"
    yield row[-1]


def _runs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Consecutive lines with a comment beside them, where none is too wide."""
    run: list[Line] = []
    for line in lines:
        if run and (line.blanks or "\n" in line.text or not _takes_part(line)):
            yield run
            run = []
        if _takes_part(line):
            run.append(line)
    if run:
        yield run


def _takes_part(line: Line) -> bool:
    return bool(line.comment) and not line.beside and line.end <= WIDEST_BESIDE


def _drawn(line: Line) -> str:
    text = f"{' ' * line.indent}{line.text}"
    if line.comment:
        text += " " * max(BESIDE, line.beside - line.end) + line.comment
    return "\n" * line.blanks + text + "\n"
