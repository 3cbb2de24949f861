"""The options of a provider for people, from their schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline_dsl.cli.terminal import Paint, cells, folded, padded

Json = dict[str, Any]

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "array": "list",
    "object": "block",
}
_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_GAP = 2


def option_lines(schema: Json, paint: Paint, width: int | None) -> Iterator[str]:
    """Yield two lines or more for each option: what it may be, and under that what it does."""
    options: dict[str, Json] = schema["properties"]
    required = schema.get("required", ())
    left = max((cells(name) for name in options), default=0) + _GAP
    for name, option in options.items():
        default = "required" if name in required else f"default {_value(option.get('default'))}"
        first = f"{paint.bold(padded(name, left))}{_type(option)}; {default}"
        yield from folded(first, width, left)
        for remark in _remarks(option):
            yield from folded(" " * left + remark, width, left)


def _remarks(option: Json) -> list[str]:
    """What an option does and, where it should not be used, what should be."""
    texts = [
        option.get("description"),
        option.get("x-use-instead") and f"deprecated: {option['x-use-instead']}",
    ]
    return [str(text) for text in texts if text]


def _type(schema: Json) -> str:
    """What a value may be, with its limits."""
    if "enum" in schema:
        return _either([_value(choice) for choice in schema["enum"]])
    if "anyOf" in schema:
        return _either([_type(member) for member in schema["anyOf"]])
    kinds = schema.get("type", "any value")
    names: list[str] = kinds if isinstance(kinds, list) else [kinds]
    words = [_TYPES.get(name, name) for name in names]
    limits = [f"{sign} {schema[word]:g}" for word, sign in _LIMITS.items() if word in schema]
    return _either([" ".join([words[0], " and ".join(limits)]).strip(), *words[1:]])


def _either(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _value(value: object) -> str:
    """A value as a recipe writes it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
