"""The samples of a mix row as they are read: one after the other, with a word on how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from pipeline_dsl.api.contracts import Source, Template
from pipeline_dsl.api.records import PlacedRow, Sample
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.mix import bound, rendered
from pipeline_dsl.plan.model import MixPlan, Plan
from pipeline_dsl.plan.views import view_of
from pipeline_dsl.registry import Catalog

_EVERY = 1024
"""Rows after which the clock is looked at."""
_SECONDS = 2.0
"""Between two words on how far it is; what takes less needs none."""


class Rows:
    """The rows of a mix row and the samples that they become. It knows whether all of them were rendered.

    Args:
        plan: what names stand for.
        entry: the mix row.
        catalog: what is installed.
        say: takes a word on how far it is.
    """

    def __init__(self, plan: Plan, entry: MixPlan, catalog: Catalog, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._entry = entry
        self._catalog = catalog
        self._say = say
        self._over = False

    def samples(self) -> Iterator[Sample]:
        """Yield the samples, in constant memory.

        Raises:
            DataError: whatever is wrong and seen first; ``raise_first`` tells what comes first.
        """
        entry = self._entry
        yield from rendered(self._rows(self._counter()), entry.data, entry.template, self._catalog)
        self._over = True

    def raise_first(self) -> None:
        """Raise what is wrong with the rows as such, else with one that cannot be rendered, if anything is.

        Raises:
            DataError: as ``mix.render``.
        """
        if self._over:
            return
        for _ in self._rows(lambda: None):
            pass
        for _ in rendered(self._rows(lambda: None), self._entry.data, self._entry.template, self._catalog):
            pass

    def _rows(self, read: Callable[[], None]) -> Iterator[PlacedRow]:
        template: Template = make(self._catalog, self._entry.template)
        view = view_of(self._plan, self._entry.data, self._catalog, template.fields)
        return view.each(bound(self._plan, self._entry.limit), read)

    def _counter(self) -> Callable[[], None]:
        """What counts the rows that are read, and says how many after a while."""
        done, said = 0, time.monotonic()
        total: int | None = None

        def count() -> None:
            nonlocal done, said, total
            done += 1
            if done % _EVERY or (now := time.monotonic()) - said < _SECONDS:
                return
            said = now
            total = self._total() if total is None else total
            if total >= done:
                self._say(f"preparing {self._entry.data}: step {done} of {total} rows")

        return count

    def _total(self) -> int:
        """How many rows will be read at most, by the word of the source; 0 where it does not know."""
        planned = self._plan.data[self._entry.data]
        source: Source = make(self._catalog, planned.source)
        known = getattr(source, "count", None)
        total = (known() if known else None) or 0
        limits = [n for n in (planned.view.limit, bound(self._plan, self._entry.limit)) if n is not None]
        whole = planned.view.filter is None and not planned.view.split
        return min([total, *limits]) if whole else total
