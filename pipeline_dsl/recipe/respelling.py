"""Values that are written as another kind than the one that is certainly meant: ``"8"``, ``True``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pipeline_dsl.diagnostics import Fix, Span
from pipeline_dsl.syntax.nodes import Node, Scalar, Style
from pipeline_dsl.syntax.repairs import quote_around, write

Reading = Callable[[str], str | None]
"""From a text without its quotes to the value that it stands for, as it is written here; None for another."""

_WHOLE: Final = re.compile(r"(-?[0-9]+(?:_[0-9]+)*)(?:\.0+)?")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FLAGS: Final[Mapping[str, str]] = MappingProxyType({
    "true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false",
})  # fmt: skip
_NOTHING: Final = frozenset({"none", "null", "nil"})


def whole(text: str) -> str | None:
    """A whole number: ``"8"``, ``8.0``."""
    match = _WHOLE.fullmatch(text)
    return match[1] if match else None


def number(text: str) -> str | None:
    """Any number: ``"2e-4"``."""
    return text if _NUMBER.fullmatch(text) else None


def flag(text: str) -> str | None:
    """True or false: ``True``, ``yes``."""
    return _FLAGS.get(text.casefold())


def nothing(text: str) -> str | None:
    """Null: ``None``."""
    return "null" if text.casefold() in _NOTHING else None


def respelt(node: Node, *readings: Reading) -> tuple[Fix, ...]:
    """The fix that writes a single value as the first of the readings that it fits has it."""
    if not isinstance(node, Scalar) or node.style is Style.BLOCK or node.style is Style.EMPTY:
        return ()
    written = node.span.text
    inside = written[1:-1] if node.style is Style.QUOTED and written[:1] == '"' else written
    if "\n" in written or "${" in written:
        return ()
    found = next((value for read in readings if (value := read(inside.strip())) is not None), None)
    return (write(node.span, found, safe=True),) if found is not None and found != written else ()


def without_sign(span: Span) -> tuple[Fix, ...]:
    """The fix that takes the minus off a number; whether it was a slip is not certain."""
    positive = span.text[1:]
    return (write(span, positive),) if span.text[:1] == "-" and _NUMBER.fullmatch(positive) else ()


def as_text(node: Node) -> tuple[Fix, ...]:
    """The fix that puts a number or a keyword into quotes, so that it is text."""
    if not isinstance(node, Scalar) or node.style not in {Style.NUMBER, Style.KEYWORD} or node.value is None:
        return ()
    return (quote_around(node.span, safe=True),) if node.span.text and "${" not in node.span.text else ()
