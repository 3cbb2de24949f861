"""What conditions are made of, and what they are worth: true, false or unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pipeline_dsl.recipe.refs import Ref

COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
"""The comparisons there are."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text in single quotes, in NFC. It can only be equal to something or not."""

    value: str


Operand: TypeAlias = Number | Text | Ref


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values compared."""

    left: Operand
    sign: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Expression


@dataclass(frozen=True, slots=True)
class Both:
    """All of them."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of them."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Not | Both | Either


def truth(part: Expression, decide: Callable[[Comparison], bool | None]) -> bool | None:
    """True, false, or None for unknown (Kleene's three values); ``decide`` is asked about each comparison."""
    match part:
        case Comparison():
            return decide(part)
        case Not(part=inner):
            known = truth(inner, decide)
            return None if known is None else not known
        case Both(parts=parts):
            return _joined([truth(inner, decide) for inner in parts], decisive=False)
        case Either(parts=parts):
            return _joined([truth(inner, decide) for inner in parts], decisive=True)


def names(part: Expression) -> Iterator[Ref]:
    """Every name, in written order."""
    match part:
        case Comparison(left=left, right=right):
            yield from (side for side in (left, right) if isinstance(side, Ref))
        case Not(part=inner):
            yield from names(inner)
        case Both(parts=parts) | Either(parts=parts):
            for inner in parts:
                yield from names(inner)


def compared(comparison: Comparison, values: Mapping[str, float]) -> bool | None:
    """What a comparison of numbers is; None where one of them is not known yet."""
    first, second = _value(comparison.left, values), _value(comparison.right, values)
    return None if first is None or second is None else COMPARE[comparison.sign](first, second)


def _value(side: Operand, values: Mapping[str, float]) -> float | None:
    if isinstance(side, Ref):
        return values.get(side.name)
    return side.value if isinstance(side, Number) else None


def _joined(truths: list[bool | None], *, decisive: bool) -> bool | None:
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive
