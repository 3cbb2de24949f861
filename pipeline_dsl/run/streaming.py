"""Training on streams: sources interleaved by their shares, resumable anywhere, in constant memory."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Protocol

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import PlacedRow, Preparation, Prepared, Row, Sample
from pipeline_dsl.plan.mix import Pool

_CHUNK = 512
"""Rows that are rendered and prepared at a time."""
_PATIENCE = 100_000
"""Rows in a row that may give no sample."""
_PER_ROW = 1 << 20
"""More samples than any row gives."""
_FIELD = 64
"""Bits of a position for each number in it."""
_CIRCLE = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: its multiples spread evenly over the circle, however many there are."""


class Feed(Protocol):
    """One source of a stream."""

    def since(self, place: int) -> Iterator[tuple[int, Prepared]]:
        """Yield samples without an end and the place after each; 0 is the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledFeed:
    """Samples that are all there, pass after pass. A place is the number of samples taken."""

    pool: Pool[Prepared]
    key: str
    """Decides the order within the passes."""

    def since(self, place: int) -> Iterator[tuple[int, Prepared]]:
        """Yield samples without an end and the place after each."""
        yield from enumerate(self.pool.passes(self.key, place), place + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedFeed:
    """Rows rendered and prepared some at a time. A place is a row, and how many of its samples were taken."""

    name: str
    """Of the data, for messages."""
    rows: Callable[[int], Iterator[PlacedRow]]
    """The rows without an end, from a 0-based one on."""
    render: Callable[[Row, str], Iterable[Sample]]
    prepare: Callable[[Sequence[Sample]], Preparation]
    told: Callable[[Preparation], None]
    """Is told of everything that is prepared, whether it is then taken or not."""

    def since(self, place: int) -> Iterator[tuple[int, Prepared]]:
        """Yield samples without an end and the place after each.

        Raises:
            DataError: MR542 very many rows in a row give no sample; and what rows and samples raise.
        """
        row, taken = divmod(place, _PER_ROW)
        rows, barren = self.rows(row), 0
        while True:
            for samples in self._prepared(list(islice(rows, _CHUNK))):
                following = [(row * _PER_ROW + n, s) for n, s in enumerate(samples, 1) if n > taken]
                row, taken, barren = row + 1, 0, barren + 1
                for after, sample in following:
                    if sample is not None:
                        barren = 0
                        yield after if after % _PER_ROW < len(samples) else row * _PER_ROW, sample
            if barren >= _PATIENCE:
                raise self._barren(barren)

    def _prepared(self, rows: Sequence[PlacedRow]) -> Iterator[Sequence[Prepared | None]]:
        """The samples of each row."""
        rendered = [list(self.render(placed.row, placed.place)) for placed in rows]
        preparation = self.prepare([sample for samples in rendered for sample in samples])
        self.told(preparation)
        flat = iter(preparation.rows)
        for samples in rendered:
            yield list(islice(flat, len(samples)))

    def _barren(self, rows: int) -> DataError:
        return DataError(
            f"{rows:,} rows of `{self.name}` in a row gave no sample to train on",
            code="MR542",
            help="its samples are too long for the trainer and dropped, or its template gives none",
        )


class PhaseStream:
    """The samples of a phase (``contracts.TrainingStream``) of which at least one source is a stream.

    Which source sample i comes from is a pure function of (seed, i), such that after any number of samples
    each source has had its share but for a few. A position is made of i and of the places in all sources.

    Args:
        feeds: the sources.
        shares: of the samples, one a source.
        seed: of the phase.
    """

    def __init__(self, feeds: Sequence[Feed], shares: Sequence[float], seed: int) -> None:
        self._feeds = feeds
        self._borders = [round(edge * _CIRCLE / sum(shares)) for edge in accumulate(shares)][:-1]
        self._start = random.Random(f"{seed}/stream").getrandbits(64)  # noqa: S311 - reproducible, not secret

    def since(self, position: int) -> Iterator[tuple[int, Prepared]]:
        """Yield samples and the position after each; 0 is the beginning."""
        done, *places = _numbers(position, 1 + len(self._feeds))
        running = [feed.since(place) for feed, place in zip(self._feeds, places, strict=True)]
        while True:
            source = self._source(done)
            places[source], sample = next(running[source])
            done += 1
            yield _position([done, *places]), sample

    def _source(self, index: int) -> int:
        """Which source a sample comes from."""
        return bisect_right(self._borders, (self._start + index * _GOLDEN) % _CIRCLE)


def _position(numbers: Sequence[int]) -> int:
    return sum(number << (_FIELD * place) for place, number in enumerate(numbers))


def _numbers(position: int, count: int) -> list[int]:
    return [position >> (_FIELD * place) & (_CIRCLE - 1) for place in range(count)]
