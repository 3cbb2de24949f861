"""What is wrong with rows, counted while they are read and told at the end (streamed: at once)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import Row
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.filtering import KindError

_NAMED = 12
"""Columns that a message lists at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One kind of fault, and where it was first seen."""

    code: str
    subject: str
    """What is wrong, without counts."""
    place: str
    help: str | None


@dataclass(slots=True, kw_only=True)
class RowFaults:
    """The faults of one source. It grows while the source is read."""

    name: str
    """Of the data."""
    patient: bool = True
    """Whether to count all rows before anything is told."""
    rows: int = 0
    """Rows read."""
    kept: int = 0
    """Rows that passed the filter."""
    _columns: dict[str, None] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _first: dict[str, _Fault] = field(default_factory=dict)

    def row(self, raw: Row) -> None:
        """Count a row and know its columns."""
        self.rows += 1
        self._columns |= dict.fromkeys(raw)

    def mapped(self, place: str, raw: Row, columns: Iterable[str]) -> bool:
        """Note mapped columns that a row lacks; return whether there are any."""
        return self._lacking(place, raw, columns, "MR505", "")

    def used(self, place: str, row: Row, columns: Iterable[str]) -> bool:
        """Note columns of the filter or the groups that a row lacks; return whether there are any."""
        return self._lacking(
            place, row, columns, PlanCode.VIEW_COLUMN.code, ", which the data block asks for,"
        )

    def needed(self, place: str, row: Row, columns: Iterable[str]) -> bool:
        """Note columns of the template that a row lacks; return whether there are any."""
        return self._lacking(place, row, columns, PlanCode.COLUMN_MISSING.code, ", which the template needs,")

    def kind(self, place: str, error: KindError) -> None:
        """Note a value that the filter cannot compare."""
        compared = f"and the filter compares it with {error.wanted},"
        self._note(
            _Fault(
                code=PlanCode.FILTER_KIND.code,
                subject=f"column `{error.column}` is {error.kind}, {compared}",
                place=place,
                help="write numbers without quotes and texts in single quotes",
            )
        )

    def check(self) -> None:
        """Raise DataError for what was found first, with how often it was found."""
        for fault in self._first.values():
            raise DataError(
                f"in `{self.name}` {fault.subject} in {self._counts[fault.subject]} of {self.rows} rows",
                code=fault.code,
                place=fault.place,
                help=fault.help,
            )

    def _lacking(self, place: str, row: Row, columns: Iterable[str], code: str, why: str) -> bool:
        missing = [column for column in columns if column not in row]
        for column in missing:
            names = list(self._columns)
            there = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
            subject = f"column `{column}`{why} is missing"
            self._note(_Fault(code=code, subject=subject, place=place, help=f"columns of the data: {there}"))
        return bool(missing)

    def _note(self, fault: _Fault) -> None:
        self._counts[fault.subject] = self._counts.get(fault.subject, 0) + 1
        self._first.setdefault(fault.subject, fault)
        if not self.patient:
            self.check()
