"""Filters of rows: a parsed condition decides whether a row counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline_dsl.api.records import Row
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe.conditions import Condition, parse_filter
from pipeline_dsl.recipe.expressions import COMPARE, Comparison, Number, Operand, Text, truth

Value = float | str | None


class KindError(Exception):
    """A value that is neither what a filter compares it with nor null."""

    def __init__(self, column: str, kind: str, wanted: str) -> None:
        super().__init__(column)
        self.column = column
        self.kind = kind
        """What it is: ``text``, ``a list``."""
        self.wanted = wanted
        """What it is compared with: ``a number``."""


@dataclass(frozen=True)
class RowFilter:
    """A filter, ready to be asked about rows.

    Null is unknown, and what is unknown does not match. A text that reads as a number (all that is in a CSV
    file is text) is compared with numbers as one; ``true`` and ``false`` are compared with those words.
    """

    text: str

    @cached_property
    def _condition(self) -> Condition:
        condition, found = parse_filter(self.text, Span(Source.of("filter", self.text), 0, len(self.text)))
        if condition is None:
            raise ValueError(found[0].message)
        return condition

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it asks for, each once."""
        return tuple(dict.fromkeys(ref.name for ref in self._condition.names))

    def matches(self, row: Row) -> bool:
        """Whether a row that has all ``columns`` matches.

        Raises:
            KindError: a column holds what cannot be compared so.
        """
        return truth(self._condition.expression, lambda comparison: _decide(comparison, row)) is True


def _decide(comparison: Comparison, row: Row) -> bool | None:
    sides = [(side, _value(side, row)) for side in (comparison.left, comparison.right)]
    if any(value is None for _, value in sides):
        return None
    if all(isinstance(value, str) for _, value in sides) and comparison.sign in {"==", "!="}:
        return (sides[0][1] == sides[1][1]) is (comparison.sign == "==")
    if any(isinstance(side, Text) for side, _ in sides):
        column = next(side for side, _ in sides if not isinstance(side, Text))
        raise KindError(_name(column), "a number", "text")
    first, second = (_number(side, value) for side, value in sides)
    return COMPARE[comparison.sign](first, second)


def _value(side: Operand, row: Row) -> Value:
    if isinstance(side, (Number, Text)):
        return side.value
    value: Any = row.get(side.name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        raise KindError(side.name, "a list" if isinstance(value, list) else "a block", "a single value")
    return None if value is None else value if isinstance(value, str) else float(value)


def _number(side: Operand, value: Value) -> float:
    try:
        return float(value or 0) if not isinstance(value, str) else float(value.strip())
    except ValueError:
        raise KindError(_name(side), "text", "a number") from None


def _name(side: Operand) -> str:
    return "" if isinstance(side, (Number, Text)) else side.name
