"""Streams: the rows of a view over and over, shuffled in constant memory, resumable at any row.

Rows of a pass are read in their order and cut into windows of ``buffer`` rows; each window is shuffled. The
first window of a pass is shorter, by a length that the seed and the number of the pass decide, so that
rows on both sides of a border in one pass stand in one window in another.

A **position** is a plain whole number: rows taken since the very beginning, over all passes. The row at
position n is a pure function of (seed, buffer, n) and the rows. How many rows a pass has is known when it has
ended; who begins at a position past the first pass has one pass counted first, without keeping its rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import PlacedRow

Rows = Callable[[int], Iterator[PlacedRow]]
"""The rows of one pass from a 0-based row on, always the same ones in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStream:
    """The rows of a view without an end. Holds at most ``buffer`` rows at a time."""

    name: str
    """Of the data, for messages."""
    rows: Rows
    buffer: int
    seed: int

    def since(self, position: int) -> Iterator[PlacedRow]:
        """Yield the row at a position and all that follow; the position after k of them is k more.

        Raises:
            DataError: MR504 a pass has no row; and what reading the rows raises.
        """
        for start, window in self.windows(position):
            yield from window[max(0, position - start) :]

    def windows(self, position: int) -> Iterator[tuple[int, Sequence[PlacedRow]]]:
        """Yield whole shuffled windows, each with the position of its first row; the first one holds it.

        Raises:
            DataError: as ``since``.
        """
        turn, row = self._turn(position)
        before = position - row
        while True:
            end = 0
            for start, window in self._pass(turn, row):
                yield before + start, window
                end = start + len(window)
            if not end:
                raise self._nothing()
            before, turn, row = before + end, turn + 1, 0

    def _turn(self, position: int) -> tuple[int, int]:
        """The pass that holds a position, and the row in it."""
        if not position:
            return 0, 0
        rows = sum(1 for _ in islice(self.rows(0), position + 1))
        if not rows:
            raise self._nothing()
        return (0, position) if rows > position else divmod(position, rows)

    def _pass(self, turn: int, row: int) -> Iterator[tuple[int, list[PlacedRow]]]:
        """Windows of one pass, each with the row it starts at, from the one that holds ``row`` on."""
        first = self.buffer - random.Random(f"{self.seed}/border/{turn}").randrange(self.buffer)  # noqa: S311 - reproducible, not secret
        start = 0 if row < first else first + (row - first) // self.buffer * self.buffer
        rows = self.rows(start)
        while window := list(islice(rows, self.buffer if start else first)):
            random.Random(f"{self.seed}/window/{turn}/{start}").shuffle(window)  # noqa: S311 - as above
            yield start, window
            start += len(window)

    def _nothing(self) -> DataError:
        return DataError(f"`{self.name}` gives no row", code="MR504")
