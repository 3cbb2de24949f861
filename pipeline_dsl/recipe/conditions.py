"""Conditions of ``when`` and ``filter``: a tiny typed language. Lark is imported when one is parsed.

Comparisons of names and numbers, joined by ``and``, ``or``, ``not`` and parentheses. No calls, no arithmetic.
``when`` may end in ``for N``: it has to hold N times in a row. ``filter`` may compare text in single quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.expressions import (
    Both,
    Comparison,
    Either,
    Expression,
    Not,
    Number,
    Operand,
    Text,
    compared,
    names,
    truth,
)
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.syntax.names import normal

if TYPE_CHECKING:
    from lark import Lark, Token, Tree, UnexpectedInput

GRAMMAR = Path(__file__).with_name("conditions.lark")
TABLES = Path(__file__).with_name("conditions.json")
"""Its LALR tables; after a change of the grammar: ``python -m pipeline_dsl.recipe.conditions``."""
_LONGEST = 500
_MOST_DIGITS = 9
_WHEN_EXAMPLE = "write for example: loss < 0.01, or exam >= 0.7 for 2"
_FILTER_EXAMPLE = "write for example: subject == 'doctor' and year >= 2019"
_EQUALITY: Final = ("==", "!=")


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
        return tuple(names(self.expression))

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether the expression holds of these values, ``for N`` left aside.

        A name without a value is not known yet: what depends on it is unknown, and an unknown condition
        does not hold.
        """
        return truth(self.expression, lambda comparison: compared(comparison, values)) is True


def parse_condition(text: str, span: Span) -> tuple[Condition | None, tuple[Diagnostic, ...]]:
    """Parse a condition of a hook that stands at ``span``; findings point into it."""
    return _parsed(_Place(text, span, _WHEN_EXAMPLE))


def parse_filter(text: str, span: Span) -> tuple[Condition | None, tuple[Diagnostic, ...]]:
    """Parse a filter of rows that stands at ``span``; findings point into it."""
    return _parsed(_Place(text, span, _FILTER_EXAMPLE, of_rows=True))


def _parsed(place: _Place) -> tuple[Condition | None, tuple[Diagnostic, ...]]:
    from lark import UnexpectedInput

    text = place.text
    if len(text) > _LONGEST:
        return None, (place.syntax(0, len(text), f"a condition of more than {_LONGEST} characters"),)
    try:
        tree = _parser().parse(text)
        first, times = tree.children
        expression = _expression(_tree(first), place)
        return Condition(text, place.whole, expression, _repeats(times, place)), ()
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
    example: str
    of_rows: bool = False
    """Whether it is a filter."""

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
            code=Code.CONDITION_SYNTAX.value, message=message, span=self.span(start, end), help=self.example
        )

    def type_error(self, start: int, end: int, message: str) -> _ConditionError:
        code = Code.CONDITION_TYPE.value
        return _ConditionError(
            Diagnostic(code=code, message=message, span=self.span(start, end), help=self.example)
        )


def build_parser() -> Lark:
    """Build the parser from the grammar's text."""
    from lark import Lark

    return Lark(GRAMMAR.read_text("utf-8"), parser="lalr", lexer="basic", propagate_positions=True)


@cache
def _parser() -> Lark:
    """The parser, from its stored tables where they are of this grammar."""
    from pipeline_dsl.syntax import tables

    return tables.load(GRAMMAR.read_text("utf-8"), path=TABLES) or build_parser()


def _expression(node: Tree[Token], place: _Place) -> Expression:
    """Make a typed expression of a parse tree."""
    match node.data:
        case "comparison":
            return _comparison(node, place)
        case "negated":
            return Not(_expression(_tree(node.children[0]), place))
        case "both" | "either":
            parts = tuple(_expression(_tree(child), place) for child in node.children)
            return Both(parts) if node.data == "both" else Either(parts)
    token = _token(node)
    what = {"number": "a number", "text": "a text"}.get(node.data, "the value of a name")
    start, end = _ends(node)
    raise place.type_error(start, end, f"`{token}` is {what}; a condition compares it with something")


def _comparison(node: Tree[Token], place: _Place) -> Comparison:
    left, sign, right = (
        _operand(node.children[0], place),
        str(node.children[1]),
        _operand(node.children[2], place),
    )
    kinds = {type(left), type(right)}
    start, end = _ends(node)
    if kinds == {Text, Number}:
        raise place.type_error(start, end, "a text is never a number, and the two cannot be compared")
    if Text in kinds and sign not in _EQUALITY:
        raise place.type_error(start, end, f"texts are compared with == and != only, not with {sign}")
    return Comparison(left, sign, right)


def _operand(node: Tree[Token] | Token, place: _Place) -> Operand:
    tree = _tree(node)
    start, end = _ends(tree)
    if tree.data == "text":
        if not place.of_rows:
            raise place.type_error(start, end, "a condition of a hook compares numbers, and this is a text")
        return Text(normal(str(_token(tree))[1:-1].replace("''", "'")))
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
    if place.of_rows:
        start = getattr(token, "start_pos", None) or 0
        message = f"`for {text}` counts what happens one after the other, and a filter is about one row"
        raise _ConditionError(place.syntax(start, start + len(text), message))
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


if __name__ == "__main__":
    from pipeline_dsl.syntax.tables import dump

    TABLES.write_text(dump(build_parser(), GRAMMAR.read_text("utf-8")), encoding="utf-8")
