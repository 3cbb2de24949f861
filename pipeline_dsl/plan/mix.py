"""A phase's samples: rows through templates, mixed by weight, in an order that the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import Generic, TypeVar

from pipeline_dsl.api.contracts import Template
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import PlacedRow, Row, Sample
from pipeline_dsl.plan.border import each, title
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import Plan, ProviderRef
from pipeline_dsl.plan.views import View, view_of
from pipeline_dsl.registry import Catalog

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Generic[T_co]):
    """The samples of one source of a mix and its share."""

    samples: Sequence[T_co]
    weight: float
    repeat: int = 1
    """How often each sample is there."""

    @property
    def size(self) -> int:
        """Samples of one pass."""
        return len(self.samples) * self.repeat

    def passes(self, key: str, start: int) -> Iterator[T_co]:
        """Yield the samples of one pass after the other, each shuffled by ``key``, from the start-th on."""
        first, offset = divmod(start, self.size)
        for turn in count(first):
            order = list(range(self.size))
            random.Random(f"{key}/{turn}").shuffle(order)  # noqa: S311 - reproducible, not secret
            yield from (self.samples[index % len(self.samples)] for index in order[offset:])
            offset = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSamples(Generic[T_co]):
    """The samples of a phase (``contracts.TrainingSet``).

    An epoch is one pass over the source with the largest share (the first of several). The others give their
    share of it, going on through their rows from epoch to epoch, so that a replay source is all seen in time.
    Sample i of epoch e is a pure function of (seed, e, i).
    """

    pools: tuple[Pool[T_co], ...]
    seed: int

    def __len__(self) -> int:
        """Samples an epoch."""
        return sum(self._counts())

    def epoch(self, number: int) -> list[T_co]:
        """Samples of a 0-based epoch, shuffled."""
        chosen: list[T_co] = []
        for place, (pool, size) in enumerate(zip(self.pools, self._counts(), strict=True)):
            chosen += islice(pool.passes(f"{self.seed}/{place}", number * size), size)
        random.Random(f"{self.seed}/order/{number}").shuffle(chosen)  # noqa: S311 - as above
        return chosen

    def _counts(self) -> list[int]:
        main = max(self.pools, key=lambda p: p.weight)
        return [
            p.size if p is main else max(1, round(main.size * p.weight / main.weight)) for p in self.pools
        ]


def render(
    plan: Plan, data: str, template: ProviderRef, limit: int | None, catalog: Catalog
) -> tuple[Sample, ...]:
    """Rows of a source through a template; ``limit`` and the plan's ``max_samples`` bound the rows.

    Raises:
        DataError: a file or row is wrong, or the source gives no sample.
    """
    shape: Template = make(catalog, template)
    rows = view_of(plan, data, catalog, shape.fields).rows(bound(plan, limit))
    return tuple(rendered(rows, data, template, catalog))


def rendered(
    rows: Iterable[PlacedRow], data: str, template: ProviderRef, catalog: Catalog
) -> Iterator[Sample]:
    """Yield the samples of rows one by one.

    Raises:
        DataError: a row cannot be rendered, or none gives a sample.
    """
    shape: Template = make(catalog, template)
    what, found = title(template), False
    for number, placed in enumerate(rows):
        render_it = partial(shape.render, placed.row, row_id(placed.row, data, number))
        for sample in each(what, "render", render_it):
            found = True
            yield sample
    if not found:
        raise DataError(f"`{data}` gives no sample", code="MR504")


def bounded_view(plan: Plan, data: str, template: Template, limit: int | None, catalog: Catalog) -> View:
    """The view of a streamed source, each pass of which has at most ``limit`` and ``max_samples`` rows."""
    view = view_of(plan, data, catalog, template.fields)
    bounds = [b for b in (view.plan.limit, bound(plan, limit)) if b is not None]
    return replace(view, plan=replace(view.plan, limit=min(bounds) if bounds else None))


def bound(plan: Plan, limit: int | None) -> int | None:
    """How many rows a source may give: the smaller of its ``limit`` and the plan's ``max_samples``."""
    bounds = [b for b in (limit, plan.max_samples) if b is not None]
    return min(bounds) if bounds else None


def row_id(row: Row, data: str, index: int) -> str:
    """How a row is called in messages: its ``id`` if it has one, else its number."""
    own = row.get("id")
    return f"{data}/{own}" if isinstance(own, str) and own else f"{data}#{index + 1}"
