"""A phase's samples: rows through templates, mixed by weight, in an order that the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_dsl.api.contracts import Source, Template
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import Row, Sample
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import MixPlan, PhasePlan, Plan, ProviderRef
from pipeline_dsl.registry import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The samples of one source of a mix and its share."""

    samples: tuple[Sample, ...]
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSamples:
    """The samples of a phase (``contracts.TrainingSet``).

    An epoch is one pass over the source with the largest share (the first of several). The others give their
    share of it, going on through their rows from epoch to epoch, so that a replay source is all seen in time.
    Sample i of epoch e is a pure function of (seed, e, i).
    """

    pools: tuple[Pool, ...]
    seed: int

    def __len__(self) -> int:
        """Samples an epoch."""
        return sum(self._counts())

    def epoch(self, number: int) -> list[Sample]:
        """Samples of a 0-based epoch, shuffled."""
        chosen: list[Sample] = []
        for place, (pool, count) in enumerate(zip(self.pools, self._counts(), strict=True)):
            chosen += self._draw(pool.samples, place, number * count, count)
        random.Random(f"{self.seed}/order/{number}").shuffle(chosen)  # noqa: S311 - reproducible, not secret
        return chosen

    def _counts(self) -> list[int]:
        main = max(self.pools, key=lambda p: p.weight)
        return [
            len(p.samples) if p is main else max(1, round(len(main.samples) * p.weight / main.weight))
            for p in self.pools
        ]

    def _draw(self, samples: Sequence[Sample], place: int, start: int, count: int) -> list[Sample]:
        """Items ``start`` to ``start + count`` of the endless stream of passes over a pool."""
        out: list[Sample] = []
        position = start
        while len(out) < count:
            turn, offset = divmod(position, len(samples))
            order = list(range(len(samples)))
            random.Random(f"{self.seed}/{place}/{turn}").shuffle(order)  # noqa: S311 - as above
            taken = order[offset : offset + count - len(out)]
            out += [samples[i] for i in taken]
            position += len(taken)
        return out


def phase_samples(plan: Plan, phase: PhasePlan, catalog: Catalog) -> PhaseSamples:
    """Read a phase's data.

    Raises:
        DataError: a file or row is wrong, or a source gives no sample.
    """
    pools = tuple(
        Pool(samples=_pool(plan, entry, catalog) * entry.repeat, weight=entry.weight) for entry in phase.mix
    )
    return PhaseSamples(pools=pools, seed=phase.seed)


def render(
    plan: Plan, data: str, template: ProviderRef, limit: int | None, catalog: Catalog
) -> tuple[Sample, ...]:
    """Rows of a source through a template; ``limit`` and the plan's ``max_samples`` bound the rows."""
    bounds = [b for b in (limit, plan.max_samples) if b is not None]
    source: Source = make(catalog, plan.data[data].source)
    shape: Template = make(catalog, template)
    rows = source.rows(limit=min(bounds) if bounds else None)
    samples = tuple(s for i, row in enumerate(rows) for s in shape.render(row, row_id(row, data, i)))
    if not samples:
        raise DataError(f"`{data}` gives no sample", code="MR504")
    return samples


def row_id(row: Row, data: str, index: int) -> str:
    """How a row is called in messages: its ``id`` if it has one, else its number."""
    own = row.get("id")
    return f"{data}/{own}" if isinstance(own, str) and own else f"{data}#{index + 1}"


def _pool(plan: Plan, entry: MixPlan, catalog: Catalog) -> tuple[Sample, ...]:
    return render(plan, entry.data, entry.template, entry.limit, catalog)
