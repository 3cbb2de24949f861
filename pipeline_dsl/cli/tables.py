"""Tables: drawn by rich on a terminal, aligned with spaces into a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from pipeline_dsl.cli.terminal import cells, is_live, padded

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column; numbers stand at the right."""

    title: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, as many a row as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def draw(table: Table) -> None:
    """Write a table to stdout."""
    if is_live(sys.stdout):
        _draw_richly(table)
    else:
        click.echo("\n".join(plain_lines(table)))


def plain_lines(table: Table) -> list[str]:
    """Return a table as lines whose columns line up in terminal cells."""
    titles = tuple(column.title for column in table.columns)
    grid = [titles, *table.rows]
    widths = [max(cells(row[i]) for row in grid) for i in range(len(titles))]
    return [_line(row, widths, table.columns) for row in grid]


def _line(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = (padded(text, width, right=c.right) for text, width, c in zip(row, widths, columns, strict=True))
    return _GAP.join(parts).rstrip()


def _draw_richly(table: Table) -> None:
    import rich.box
    import rich.console
    import rich.table
    import rich.text

    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        drawn.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(rich.text.Text(text) for text in row))
    rich.console.Console().print(drawn)
