"""Tables: columns that line up in terminal cells; on a terminal no line is wider than it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from pipeline_dsl.cli.terminal import Paint, cells, folded, padded, room

_GAP = "  "
_LEAST = 16
"""Cells below which folding makes a column no more readable."""


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        title: its heading.
        right: whether its cells stand at the right, as numbers do.
        folds: whether its cells may be broken into lines, where a terminal is too narrow.
        ink: colours a cell, which comes with the spaces around it.
    """

    title: str
    right: bool = False
    folds: bool = False
    ink: Callable[[str], str] = _as_it_is


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, as many a row as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def draw(table: Table) -> None:
    """Write a table to stdout."""
    click.echo("\n".join(table_lines(table, Paint.of(sys.stdout), room(sys.stdout))))


def table_lines(table: Table, paint: Paint, width: int | None = None) -> list[str]:
    """Return a table as lines, the heading first; folded into ``width`` where columns allow it."""
    widths = _widths(table, width)
    head = _line(tuple(c.title for c in table.columns), widths, table.columns, inked=False)
    return [paint.bold(head), *(line for row in table.rows for line in _lines(row, widths, table.columns))]


def _widths(table: Table, width: int | None) -> list[int]:
    grid = [tuple(c.title for c in table.columns), *table.rows]
    widths = [max(cells(row[i]) for row in grid) for i in range(len(table.columns))]
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - width if width else 0
    foldable = [i for i, column in enumerate(table.columns) if column.folds]
    if over > 0 and foldable:
        widest = max(foldable, key=lambda i: widths[i])
        widths[widest] = max(min(_LEAST, widths[widest]), widths[widest] - over)
    return widths


def _lines(row: tuple[str, ...], widths: Sequence[int], layout: Sequence[Column]) -> list[str]:
    """One row, as many lines as its tallest cell has."""
    stacks = [
        folded(cell, width) if column.folds else [cell]
        for cell, width, column in zip(row, widths, layout, strict=True)
    ]
    height = max(len(stack) for stack in stacks)
    level = [[*stack, *[""] * (height - len(stack))] for stack in stacks]
    return [_line(cut, widths, layout) for cut in zip(*level, strict=True)]


def _line(cut: Sequence[str], widths: Sequence[int], layout: Sequence[Column], *, inked: bool = True) -> str:
    last = len(layout) - 1
    parts = []
    for i, (text, width, column) in enumerate(zip(cut, widths, layout, strict=True)):
        whole = text if i == last and not column.right else padded(text, width, right=column.right)
        parts.append(column.ink(whole) if inked else whole)
    return _GAP.join(parts).rstrip()
