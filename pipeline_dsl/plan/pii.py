"""Personal data in rows: resident registration numbers, phone numbers, e-mail addresses. Nothing is quoted.

What is found looks like it, and may be something else. A resident registration number is six digits that
are a date, a dash and seven digits of which the first says the century (1 to 8), or the same without a dash
where the check digit is right too (numbers given out since October 2020 have none). Phone numbers are
Korean ones and such with a country's code after a plus sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import PlacedRow
from pipeline_dsl.plan.codes import PlanCode

RESIDENT, PHONE, EMAIL = "resident registration number", "phone number", "e-mail address"
_DASH = r"[-\u2010-\u2015\u2212\uff0d]"
_RESIDENT = re.compile(rf"(?<!\d)(\d{{6}})(\s?{_DASH}\s?)?([1-8]\d{{6}})(?!\d)")
_GAP = rf"(?:{_DASH}|[ .])"
_PHONE = re.compile(
    rf"(?<![\d.])(?:01[016789]{_GAP}?\d{{3,4}}{_GAP}?\d{{4}}"
    rf"|\(?0(?:2|[3-6]\d|70|50\d)\)?{_GAP}\d{{3,4}}{_GAP}\d{{4}})(?!\d)"
    rf"|\+[1-9]\d{{0,2}}(?:{_GAP}?\(?\d{{1,4}}\)?){{2,5}}(?!\d)"
)
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_CENTURIES = {"1": 1900, "2": 1900, "3": 2000, "4": 2000, "5": 1900, "6": 1900, "7": 2000, "8": 2000}
_LEAST_DIGITS, _MOST_DIGITS = 9, 15
"""Digits of a number with a country's code."""


@dataclass(slots=True)
class PersonalData:
    """What was found in rows so far: kind, how often, and where first. It grows while one source is read."""

    name: str
    """Of the data."""
    _found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def look(self, placed: PlacedRow) -> bool:
        """Look at a row; return whether it holds any."""
        kinds = [kind for text in _texts(placed.row) for kind in kinds_in(text)]
        for kind in kinds:
            count, first = self._found.get(kind, (0, placed.place))
            self._found[kind] = count + 1, first
        return bool(kinds)

    def check(self) -> None:
        """Raise DataError (MR520) if any was found."""
        if not self._found:
            return
        parts = [
            f"{count} {kind}{('es' if kind == EMAIL else 's') if count > 1 else ''} (first at {place})"
            for kind, (count, place) in self._found.items()
        ]
        raise DataError(
            f"`{self.name}` must not hold personal data and holds {', '.join(parts)}",
            code=PlanCode.PERSONAL_DATA.code,
            help="take it out of the file; write `pii: allow` where it is none or may be learned",
        )


def kinds_in(text: str) -> Iterator[str]:
    """Yield the kind of everything in a text that looks like personal data."""
    yield from (RESIDENT for found in _RESIDENT.finditer(text) if _is_resident(found))
    yield from (PHONE for found in _PHONE.finditer(text) if _is_phone(found.group()))
    if "@" in text:
        yield from (EMAIL for _ in _EMAIL.finditer(text))


def _is_resident(found: re.Match[str]) -> bool:
    birth, dash, rest = found.groups()
    try:
        date(_CENTURIES[str(int(rest[0]))] + int(birth[:2]), int(birth[2:4]), int(birth[4:]))
    except ValueError:
        return False
    return bool(dash) or _checks(birth + rest)


def _checks(digits: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False))
    return (11 - total % 11) % 10 == int(digits[-1])


def _is_phone(found: str) -> bool:
    digits = sum(char.isdigit() for char in found)
    return not found.startswith("+") or _LEAST_DIGITS <= digits <= _MOST_DIGITS


def _texts(value: Any) -> Iterator[str]:
    """Every text in a row, numbers written out."""
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)
        case int():
            yield str(value)
        case _:
            return
