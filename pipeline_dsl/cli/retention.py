"""The retention matrix for people: tasks down, phases across, under each score its 95 % interval.

A star marks the score of a phase on the task that it teaches, ``!`` one that is clearly worse than the best
before it. On a terminal the second is red, and what is clearly better than the base's is green.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from pipeline_dsl.cli.figures import NOTHING, figure, interval, signed
from pipeline_dsl.cli.standing import Probes, Standing, standing
from pipeline_dsl.cli.terminal import Paint, cells, columns, folded, padded
from pipeline_dsl.run.matrix import RetentionMatrix

_GAP = "  "
_TITLE = "task"
_FALLING = "  less is better"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One score as it is drawn."""

    value: str
    bounds: str
    standing: Standing

    def painted(self, width: int, paint: Paint) -> str:
        """The value's line, coloured by how it stands."""
        ink = paint.red if self.standing.worse else paint.green if self.standing.better else str
        return ink(self.value) + " " * (width - cells(self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pillar:
    """One row of the matrix, standing: a phase and its scores."""

    title: str
    drawn: tuple[_Cell, ...]

    @property
    def width(self) -> int:
        """Cells of its widest line."""
        return max(
            cells(text) for text in (self.title, *(t for c in self.drawn for t in (c.value, c.bounds)))
        )


def show_retention(folder: Path, matrix: RetentionMatrix) -> None:
    """Write a run's matrix and its figures to stdout."""
    probes, paint = Probes.of(folder), Paint.of(sys.stdout)
    lines = retention_lines(matrix, probes, paint, columns(sys.stdout))
    click.echo("\n".join([*lines, *figure_lines(matrix, probes)]))


def retention_lines(matrix: RetentionMatrix, probes: Probes, paint: Paint, width: int) -> list[str]:
    """Return the matrix as lines of at most ``width`` cells: one block below the other for many phases."""
    pillars = [_pillar(matrix, probes, row) for row in range(len(matrix.rows))]
    labels = [(task, "" if probes.rises(task) else _FALLING) for task in matrix.tasks]
    left = max(cells(text) for text in (_TITLE, *(t for label in labels for t in label)))
    lines = [
        line
        for block in _blocks(pillars, width - left)
        for line in ("", *_block_lines(block, labels, left, paint))
    ]
    return [*lines[1:], *_legend(pillars, paint, width)]


def figure_lines(matrix: RetentionMatrix, probes: Probes) -> list[str]:
    """Return the figures of the matrix, each with what it means; nothing where none is known."""
    rose = " (none: they rose)" if (matrix.forgetting or 0) < 0 else ""
    known = (
        ("ACC", matrix.acc, figure(matrix.acc), "own tasks at the end, on average"),
        ("BWT", matrix.bwt, signed(matrix.bwt), "change of own tasks since they were taught"),
        (
            "forgetting",
            matrix.forgetting,
            signed(matrix.forgetting),
            f"fall of own tasks from their best{rose}",
        ),
        ("FWT", matrix.fwt, signed(matrix.fwt), "gain of own tasks before they were taught"),
    )
    lines = [f"{name:<10}  {text:>5}  {words}" for name, value, text, words in known if value is not None]
    falling = [task for task in dict.fromkeys(probes.own.values()) if not probes.rises(task)]
    remark = [f"in these figures {', '.join(falling)} counts as ln(base / score)"] if falling else []
    remark += [
        f"in these figures {task} counts as a share of {matrix.perfect[task]:g}"
        for task in dict.fromkeys(probes.own.values())
        if task in matrix.perfect
    ]
    return ["", *lines, *remark] if lines else []


def _pillar(matrix: RetentionMatrix, probes: Probes, row: int) -> _Pillar:
    drawn = tuple(_cell(matrix, probes, row, task) for task in range(len(matrix.tasks)))
    return _Pillar(title=matrix.rows[row], drawn=drawn)


def _cell(matrix: RetentionMatrix, probes: Probes, row: int, task: int) -> _Cell:
    score, bounds = matrix.scores[row][task], matrix.intervals[row][task]
    stands = standing(matrix, probes, row, task)
    marks = ("*" if stands.own else "") + ("!" if stands.worse else "")
    return _Cell(
        value=NOTHING if score is None else figure(score) + marks,
        bounds=interval(*bounds) if bounds and score is not None else "",
        standing=stands,
    )


def _blocks(pillars: Sequence[_Pillar], room: int) -> list[list[_Pillar]]:
    """Pillars that fit beside each other."""
    blocks: list[list[_Pillar]] = []
    free = 0
    for pillar in pillars:
        needed = len(_GAP) + pillar.width
        if not blocks or needed > free:
            blocks.append([])
            free = room
        blocks[-1].append(pillar)
        free -= needed
    return blocks


def _block_lines(
    block: Sequence[_Pillar], labels: Sequence[tuple[str, str]], left: int, paint: Paint
) -> Iterator[str]:
    """Two lines for each task, the second left out where it holds nothing."""
    yield paint.bold(_joined([padded(_TITLE, left), *(padded(p.title, p.width) for p in block)]))
    for t, (task, note) in enumerate(labels):
        yield _joined([padded(task, left), *(p.drawn[t].painted(p.width, paint) for p in block)])
        below = _joined([padded(note, left), *(padded(p.drawn[t].bounds, p.width) for p in block)])
        if below:
            yield paint.dim(below)


def _legend(pillars: Sequence[_Pillar], paint: Paint, width: int) -> list[str]:
    """One line on what the marks mean, of those that occur."""
    drawn = [cell for pillar in pillars for cell in pillar.drawn]
    parts = ["[95 % interval]"] if any(c.bounds for c in drawn) else []
    parts += ["* own task"] if any(c.standing.own for c in drawn) else []
    parts += (
        [paint.green("better than base")] if paint.enabled and any(c.standing.better for c in drawn) else []
    )
    parts += [paint.red("! worse than its best before")] if any(c.standing.worse for c in drawn) else []
    return folded(_GAP.join(parts), width) if parts else []


def _joined(parts: Sequence[str]) -> str:
    return _GAP.join(parts).rstrip()
