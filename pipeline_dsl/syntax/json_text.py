"""JSON as a text of the notation; what would be lost on the way is an error at its place."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline_dsl.diagnostics import Diagnostic, Source, Span
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.formatting import formatted
from pipeline_dsl.syntax.nodes import Value
from pipeline_dsl.syntax.parser import parse, parse_value
from pipeline_dsl.syntax.render import render

_NO_NUMBER = re.compile(r"-?\b(?:NaN|Infinity)\b")


def from_json(source: Source) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """Return a text that says what a JSON object says, or what stands in the way."""
    try:
        value: Value = json.loads(source.text, object_pairs_hook=_distinct, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        span = Span(source, min(error.pos, len(source.text)), min(error.pos + 1, len(source.text)))
        message, help_line = f"this is no JSON: {error.msg}", "write JSON as RFC 8259 has it"
        return None, (Diagnostic(code=Code.NOT_JSON.value, message=message, span=span, help=help_line),)
    except (ValueError, RecursionError) as error:
        return None, _placed(source, str(error))
    if not isinstance(value, dict):
        return None, _placed(source, "a text of the notation is a mapping, and this JSON is no object")
    try:
        text = render(value, tables=True)
    except ValueError as error:
        return None, _placed(source, str(error))
    parsed = parse(Source.of(source.name, text))
    return (formatted(parsed), ()) if parsed.ok else (None, parsed.diagnostics)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "the same key twice in one object"
        raise ValueError(message)
    return found


def _no_number(word: str) -> Any:
    message = f"{word} cannot stand in a text"
    raise ValueError(message)


def _placed(source: Source, message: str) -> tuple[Diagnostic, ...]:
    """What cannot be written, at its place: JSON is so near to the notation that reading it as that tells."""
    found = tuple(d for d in parse_value(source)[1] if d.is_error and d.code in _TOLD)
    if found:
        return found
    word = _NO_NUMBER.search(source.text)
    span = Span(source, word.start(), word.end()) if word else Span(source, 0, min(1, len(source.text)))
    help_line = "the notation holds texts, 64-bit numbers, true, false, null, and lists and mappings of them"
    return (Diagnostic(code=Code.UNWRITABLE.value, message=message, span=span, help=help_line),)


_TOLD = frozenset({Code.DUPLICATE_KEY, Code.BIG_INTEGER, Code.FLOAT_RANGE, Code.TOO_DEEP})
