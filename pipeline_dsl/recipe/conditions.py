"""Conditions of ``when``: a tiny typed expression language. Lark is imported when one is parsed.

Comparisons of names and numbers, joined by ``and``, ``or``, ``not`` and parentheses; at the end ``for N``:
the expression has to hold N times in a row. No calls, no arithmetic, no text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.syntax.names import normal

if TYPE_CHECKING:
    from lark import Lark, Token, Tree, UnexpectedInput

COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
"""The comparisons there are."""
_LONGEST = 500
_MOST_DIGITS = 9
_EXAMPLE = "write for example: loss < 0.01, or exam >= 0.7 for 2"


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two numbers or names compared."""

    left: Number | Ref
    sign: str
    right: Number | Ref


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


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression, and how many times in a row it has to hold."""

    text: str
    span: Span
    expression: Expression
    repeats: int = 1

    @property
    def names(self) -> tuple[Ref, ...]:
        """Every name in it, in written order, with its place."""
        return tuple(_names(self.expression))

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether the expression holds of these values, ``for N`` left aside.

        A name without a value is not known yet: what depends on it is unknown, and an unknown condition
        does not hold.
        """
        return _truth(self.expression, values) is True


def parse_condition(text: str, span: Span) -> tuple[Condition | None, tuple[Diagnostic, ...]]:
    """Parse a condition that stands at ``span``; findings point into it."""
    from lark import UnexpectedInput

    place = _Place(text, span)
    if len(text) > _LONGEST:
        return None, (place.syntax(0, len(text), f"a condition of more than {_LONGEST} characters"),)
    try:
        tree = _parser().parse(text)
        first, times = tree.children
        expression = _expression(_tree(first), place)
        return Condition(text, span, expression, _repeats(times, place)), ()
    except UnexpectedInput as error:
        return None, (_unexpected(error, place),)
    except _ConditionError as error:
        return None, (error.diagnostic,)


class _ConditionError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the text of a condition stands."""

    text: str
    whole: Span

    def span(self, start: int, end: int) -> Span:
        """A stretch of the condition; the whole string where it is not spelt as it reads."""
        spelling = self.whole.text
        for shift in (0, 1):
            if spelling[shift : shift + len(self.text)] == self.text:
                base = self.whole.start + shift
                return Span(self.whole.source, base + start, base + end)
        return self.whole

    def syntax(self, start: int, end: int, message: str) -> Diagnostic:
        return Diagnostic(
            code=Code.CONDITION_SYNTAX.value, message=message, span=self.span(start, end), help=_EXAMPLE
        )

    def type_error(self, start: int, end: int, message: str) -> _ConditionError:
        code = Code.CONDITION_TYPE.value
        return _ConditionError(
            Diagnostic(code=code, message=message, span=self.span(start, end), help=_EXAMPLE)
        )


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark.open(
        "conditions.lark", rel_to=__file__, parser="lalr", lexer="basic", propagate_positions=True
    )


def _expression(node: Tree[Token], place: _Place) -> Expression:
    """Make a typed expression of a parse tree."""
    match node.data:
        case "comparison":
            left, sign, right = node.children
            return Comparison(_operand(left, place), str(sign), _operand(right, place))
        case "negated":
            return Not(_expression(_tree(node.children[0]), place))
        case "both" | "either":
            parts = tuple(_expression(_tree(child), place) for child in node.children)
            return Both(parts) if node.data == "both" else Either(parts)
    token = _token(node)
    what = "a number" if node.data == "number" else "the value of a name, a number"
    start, end = _ends(node)
    raise place.type_error(start, end, f"`{token}` is {what}; a condition compares it with something")


def _operand(node: Tree[Token] | Token, place: _Place) -> Number | Ref:
    tree = _tree(node)
    start, end = _ends(tree)
    if tree.data == "number":
        value = float(_token(tree))
        if value in (float("inf"), float("-inf")):
            raise place.type_error(start, end, "this number is too large")
        return Number(value)
    if tree.data == "name":
        return Ref(normal(str(_token(tree))), place.span(start, end))
    raise place.type_error(start, end, "a comparison is true or false and cannot be compared again")


def _repeats(token: Token | Tree[Token] | None, place: _Place) -> int:
    if token is None:
        return 1
    text = str(token)
    if text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) > 0:
        return int(text)
    start = getattr(token, "start_pos", None) or 0
    message = f"`for {text}` needs a whole number of 1 or more: how many times in a row"
    raise _ConditionError(place.syntax(start, start + len(text), message))


def _tree(node: Tree[Token] | Token) -> Tree[Token]:
    """A node that the grammar says is a tree."""
    from lark import Tree

    if not isinstance(node, Tree):
        raise TypeError(node)
    return node


def _token(tree: Tree[Token]) -> Token:
    """The only child of ``number`` and ``name``."""
    from lark import Token

    token = tree.children[0]
    if not isinstance(token, Token):
        raise TypeError(token)
    return token


def _ends(tree: Tree[Token]) -> tuple[int, int]:
    return tree.meta.start_pos, tree.meta.end_pos


def _unexpected(error: UnexpectedInput, place: _Place) -> Diagnostic:
    """Say what could not be read, and where."""
    from lark import UnexpectedToken

    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is None:
        start = error.pos_in_stream or 0
        return place.syntax(start, start + 1, f"`{place.text[start]}` has no meaning in a condition")
    if token.type == "$END":
        end = len(place.text)
        message = "the condition is empty" if not place.text.strip() else "the condition ends too early"
        return place.syntax(max(end - 1, 0), end, message)
    start = token.start_pos or 0
    return place.syntax(start, start + len(token), f"`{token}` cannot stand here")


def _names(part: Expression) -> Iterator[Ref]:
    match part:
        case Comparison(left=left, right=right):
            yield from (side for side in (left, right) if isinstance(side, Ref))
        case Not(part=inner):
            yield from _names(inner)
        case Both(parts=parts) | Either(parts=parts):
            for inner in parts:
                yield from _names(inner)


def _truth(part: Expression, values: Mapping[str, float]) -> bool | None:
    """True, false, or None for unknown (Kleene's three values)."""
    match part:
        case Comparison(left=left, sign=sign, right=right):
            first, second = _value(left, values), _value(right, values)
            return None if first is None or second is None else COMPARE[sign](first, second)
        case Not(part=inner):
            truth = _truth(inner, values)
            return None if truth is None else not truth
        case Both(parts=parts):
            return _joined([_truth(inner, values) for inner in parts], decisive=False)
        case Either(parts=parts):
            return _joined([_truth(inner, values) for inner in parts], decisive=True)


def _joined(truths: list[bool | None], *, decisive: bool) -> bool | None:
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _value(side: Number | Ref, values: Mapping[str, float]) -> float | None:
    return side.value if isinstance(side, Number) else values.get(side.name)
