"""Schemas of options in words: what a value may be, and a value as a recipe writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

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


def type_words(schema: Json) -> str:
    """What a value may be, with its limits."""
    if "enum" in schema:
        return either([value_words(choice) for choice in schema["enum"]])
    if "anyOf" in schema:
        return either([type_words(member) for member in schema["anyOf"]])
    kinds = schema.get("type", "any value")
    names: list[str] = kinds if isinstance(kinds, list) else [kinds]
    words = [_TYPES.get(name, name) for name in names]
    limits = [f"{sign} {schema[word]:g}" for word, sign in _LIMITS.items() if word in schema]
    return either([" ".join([words[0], " and ".join(limits)]).strip(), *words[1:]])


def either(words: Sequence[str]) -> str:
    """Words joined as a choice: ``a, b or c``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def value_words(value: object) -> str:
    """A value as a recipe writes it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
