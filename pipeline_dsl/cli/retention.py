"""The retention matrix for people: rows are phases, columns tasks, each cell a score with its interval."""

from __future__ import annotations

from pipeline_dsl.cli.figures import NOTHING, figure, interval
from pipeline_dsl.cli.tables import Column, Table
from pipeline_dsl.run.matrix import RetentionMatrix


def retention_table(matrix: RetentionMatrix) -> Table:
    """Return the matrix as a table; a cell that was not scored is a dash."""
    columns = (Column("after"), *(Column(task, right=True) for task in matrix.tasks))
    rows = tuple(
        (row, *(_cell(matrix, r, t) for t in range(len(matrix.tasks)))) for r, row in enumerate(matrix.rows)
    )
    return Table(columns, rows)


def figures_line(matrix: RetentionMatrix) -> str:
    """Return the figures of the matrix with what they mean."""
    return (
        f"ACC {figure(matrix.acc)} (mean of the tasks now), BWT {figure(matrix.bwt)} (change since taught), "
        f"forgetting {figure(matrix.forgetting)} (loss against the best), "
        f"FWT {figure(matrix.fwt)} (known before taught)"
    )


def _cell(matrix: RetentionMatrix, row: int, task: int) -> str:
    score, bounds = matrix.scores[row][task], matrix.intervals[row][task]
    if score is None:
        return NOTHING
    return figure(score) if bounds is None else f"{figure(score)} {interval(*bounds)}"
