"""The retention matrix for people: rows are phases, columns tasks, each cell a score with its interval."""

from __future__ import annotations

import click

from pipeline_dsl.cli.figures import NOTHING, figure, interval
from pipeline_dsl.cli.tables import Column, Table, draw
from pipeline_dsl.run.matrix import RetentionMatrix


def show_retention(matrix: RetentionMatrix) -> None:
    """Write the matrix and its figures to stdout."""
    draw(retention_table(matrix))
    line = figures_line(matrix)
    if line:
        click.echo(line)


def retention_table(matrix: RetentionMatrix) -> Table:
    """Return the matrix as a table; a cell that was not scored is a dash."""
    columns = (Column("after"), *(Column(task, right=True) for task in matrix.tasks))
    rows = tuple(
        (row, *(_cell(matrix, r, t) for t in range(len(matrix.tasks)))) for r, row in enumerate(matrix.rows)
    )
    return Table(columns, rows)


def figures_line(matrix: RetentionMatrix) -> str:
    """Return the figures of the matrix with what they mean; nothing where none is known."""
    if {matrix.acc, matrix.bwt, matrix.forgetting, matrix.fwt} == {None}:
        return ""
    return (
        f"ACC {figure(matrix.acc)} (own tasks at the end), BWT {figure(matrix.bwt)} (change since taught), "
        f"forgetting {figure(matrix.forgetting)} (fall from the best), "
        f"FWT {figure(matrix.fwt)} (gain before being taught)"
    )


def _cell(matrix: RetentionMatrix, row: int, task: int) -> str:
    score, bounds = matrix.scores[row][task], matrix.intervals[row][task]
    if score is None:
        return NOTHING
    return figure(score) if bounds is None else f"{figure(score)} {interval(*bounds)}"
