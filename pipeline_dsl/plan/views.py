"""Views: the rows of a source as a recipe wants them.

The order is always the same: columns are mapped, rows filtered, the part of the split chosen, its first rows
taken, and these held to what the recipe says of personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from pipeline_dsl.api.contracts import Source
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import PlacedRow, Row
from pipeline_dsl.plan.border import each, title
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.faults import RowFaults
from pipeline_dsl.plan.filtering import KindError, RowFilter
from pipeline_dsl.plan.model import Plan, ViewPlan
from pipeline_dsl.plan.pii import PersonalData
from pipeline_dsl.plan.shuffling import RowStream
from pipeline_dsl.plan.splitting import exact_parts, group_of, streamed_part
from pipeline_dsl.recipe.model import PARTS
from pipeline_dsl.registry import Catalog

_KEPT = 20_000
"""Rows of data with a split that are kept in memory until the split is known."""


def _unseen() -> None:
    """Take no notice of a row."""


class _Grouped(NamedTuple):
    """A row that passed the filter, and its group where there is a split."""

    placed: PlacedRow
    group: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The rows of one source as a plan says.

    A row lacks a column where the column is not there at all; null is a value.
    """

    name: str
    """What mixes and tasks call it, for messages: ``exam.train``."""
    source: Source
    plan: ViewPlan
    needs: tuple[str, ...] = ()
    """Columns that every row must have: those of the template."""
    title: str = "the source"
    """What messages call the source."""

    def rows(self, limit: int | None = None) -> tuple[PlacedRow, ...]:
        """Read all rows, or at most ``limit``.

        Raises:
            DataError: MR504 there is no row; MR505 and MR506 a column is missing in rows, with counts; MR521
                to MR523 the filter or a group fits no row; MR524 too few groups; MR520 personal data; and
                what the source raises.
        """
        return tuple(self.each(limit))

    def each(self, limit: int | None = None, read: Callable[[], None] = _unseen) -> Iterator[PlacedRow]:
        """Yield all rows, or at most ``limit``, in constant memory but for the groups of a split.

        What is wrong in rows is raised after the last of them: ones that lack a column are yielded too.

        Args:
            limit: of the rows.
            read: is called for each row that the source gives.

        Raises:
            DataError: as ``rows``.
        """
        faults = RowFaults(name=self.name)
        bounds = [bound for bound in (limit, self.plan.limit) if bound is not None]
        part = self._streamed if self.plan.streaming or not self.plan.split else self._exact
        chosen = part(self._kept(_told(self._read(0), read), faults), faults)
        found = False
        for placed in self._checked(islice(chosen, min(bounds) if bounds else None), faults):
            found = True
            yield placed
        faults.check()
        if not found:
            raise self._nothing(faults)

    def since(self, start: int) -> Iterator[PlacedRow]:
        """Yield the rows of a streamed view from the 0-based ``start`` on, in constant memory.

        Raises:
            DataError: as ``rows``, at the first row in which something is wrong.
        """
        faults = RowFaults(name=self.name, patient=False)
        simple = self.plan.filter is None and not self.plan.split
        rows = self._kept(self._read(start if simple else 0), faults)
        chosen = self._streamed(rows, faults)
        end = None if self.plan.limit is None else max(self.plan.limit - (start if simple else 0), 0)
        empty = not start
        for placed in self._checked(islice(chosen, 0 if simple else start, end), faults):
            empty = False
            yield placed
        if empty:
            raise self._nothing(faults)

    def stream(self, seed: int) -> RowStream:
        """The rows without an end, shuffled in windows by a seed."""
        return RowStream(name=self.name, rows=self.since, buffer=self.plan.shuffle_buffer, seed=seed)

    def _read(self, start: int) -> Iterator[PlacedRow]:
        return each(self.title, "rows", lambda: self.source.rows(start))

    def _kept(self, rows: Iterator[PlacedRow], faults: RowFaults) -> Iterator[_Grouped]:
        """Map columns and filter."""
        keeps = _filter(self.plan, faults)
        for place, raw in rows:
            faults.row(raw)
            lacking = faults.mapped(place, raw, self.plan.columns.values())
            row = _mapped(raw, self.plan)
            lacking |= faults.used(place, row, self.plan.group_by)
            if lacking or not keeps(place, row):
                continue
            faults.kept += 1
            group = group_of(raw, row, self.plan.group_by) if self.plan.split else b""
            yield _Grouped(PlacedRow(place, row), group)

    def _exact(self, rows: Iterator[_Grouped], faults: RowFaults) -> Iterator[PlacedRow]:
        """The rows of the part, all rows being read first; where they are many, they are read again."""
        kept, sizes = list(islice(rows, _KEPT)), dict[bytes, int]()
        for row in chain(kept, rows):
            sizes[row.group] = sizes.get(row.group, 0) + 1
        if len(sizes) < len(self.plan.split):
            faults.check()
            if sizes:
                raise self._too_few(len(sizes))
        parts = exact_parts(sizes, self.plan.split, self.plan.seed) if sizes else {}
        wanted = self._part()
        yield from (row.placed for row in kept if parts[row.group] == wanted)
        if len(kept) == _KEPT:
            kept.clear()
            again = islice(self._kept(self._read(0), RowFaults(name=self.name)), _KEPT, None)
            yield from (row.placed for row in again if parts[row.group] == wanted)

    def _streamed(self, rows: Iterator[_Grouped], _faults: RowFaults) -> Iterator[PlacedRow]:
        """The rows of the part, each told by itself."""
        split, seed, wanted = self.plan.split, self.plan.seed, self._part()
        return (row.placed for row in rows if not split or streamed_part(row.group, split, seed) == wanted)

    def _checked(self, rows: Iterator[PlacedRow], faults: RowFaults) -> Iterator[PlacedRow]:
        """The rows themselves, looked through for what they lack and for personal data."""
        personal = PersonalData(self.name)
        for placed in rows:
            faults.needed(placed.place, placed.row, self.needs)
            if self.plan.pii == "deny" and personal.look(placed) and not faults.patient:
                personal.check()
            yield placed
        personal.check()

    def _part(self) -> int:
        return PARTS.index(self.plan.part) if self.plan.part else 0

    def _too_few(self, groups: int) -> DataError:
        columns = ", ".join(f"`{name}`" for name in self.plan.group_by)
        return DataError(
            f"`{self.name}` has {groups} group{'s' if groups > 1 else ''} of rows "
            f"for {len(self.plan.split)} parts",
            code=PlanCode.TOO_FEW_GROUPS.code,
            help=f"split by columns with more values than {columns}"
            if columns
            else "equal rows are one group",
        )

    def _nothing(self, faults: RowFaults) -> DataError:
        if faults.rows and not faults.kept and self.plan.filter is not None:
            return DataError(
                f"the filter of `{self.name}` leaves no row: {faults.rows} read, 0 left",
                code=PlanCode.FILTERED_AWAY.code,
                help="a row whose column is null does not match; texts match letter by letter",
            )
        if faults.kept:
            return _no_row(self.name, f"there is none of {faults.kept} rows")
        return _no_row(self.name)


def _told(rows: Iterator[PlacedRow], read: Callable[[], None]) -> Iterator[PlacedRow]:
    for placed in rows:
        read()
        yield placed


def _filter(plan: ViewPlan, faults: RowFaults) -> Callable[[str, Row], bool]:
    """Whether a row counts: what it lacks and what cannot be compared goes into ``faults``."""
    if plan.filter is None:
        return lambda _place, _row: True
    return partial(_matches, RowFilter(plan.filter), faults)


def _matches(wanted: RowFilter, faults: RowFaults, place: str, row: Row) -> bool:
    if faults.used(place, row, wanted.columns):
        return False
    try:
        return wanted.matches(row)
    except KindError as error:
        faults.kind(place, error)
        return False


def view_of(plan: Plan, name: str, catalog: Catalog, needs: Sequence[str] = ()) -> View:
    """The rows of what a mix or task refers to; ``needs`` are the columns that its template needs."""
    planned = plan.data[name]
    source: Source = make(catalog, planned.source)
    return View(name=name, source=source, plan=planned.view, needs=tuple(needs), title=title(planned.source))


def first_rows(name: str, source: Source, plan: ViewPlan, count: int) -> Sequence[Row]:
    """The first rows of a source with their columns mapped, before any filter or split.

    Raises:
        DataError: MR504 there is no row; MR505 a mapped column is missing; and what the source raises.
    """
    faults = RowFaults(name=name)
    rows = []
    for place, raw in islice(source.rows(), count):
        faults.row(raw)
        faults.mapped(place, raw, plan.columns.values())
        rows.append(_mapped(raw, plan))
    faults.check()
    if not rows:
        raise _no_row(name)
    return rows


def _no_row(name: str, why: str = "there is no row") -> DataError:
    return DataError(f"{why} in `{name}`", code="MR504", help="give it more rows, or leave it out")


def _mapped(raw: Row, plan: ViewPlan) -> Row:
    """A row with its columns and those that are mapped."""
    return {**raw, **{name: raw.get(column) for name, column in plan.columns.items()}}
