"""Whether a value fits a schema, for the part of JSON Schema that options derive: no reasons, no imports.

jsonschema says what is wrong and where. Importing it costs a sixth of a whole ``medrecipe check``,
so it is asked only about options that this refuses. A property test holds the two to the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
_LIMITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda v, bound: v >= bound,
    "exclusiveMinimum": lambda v, bound: v > bound,
    "maximum": lambda v, bound: v <= bound,
    "exclusiveMaximum": lambda v, bound: v < bound,
}


def accepts(schema: Mapping[str, Any], value: Any) -> bool:
    """Say whether a JSON value fits a schema made by ``api.options.schema_of``."""
    kinds = schema.get("type", ())
    return (
        (not kinds or any(_TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)))
        and ("enum" not in schema or _among(value, schema["enum"]))
        and ("anyOf" not in schema or any(accepts(member, value) for member in schema["anyOf"]))
        and (not _TYPES["number"](value) or _within(schema, value))
        and (not isinstance(value, list) or _items(schema, value))
        and (not isinstance(value, dict) or _properties(schema, value))
    )


def _among(value: Any, choices: list[Any]) -> bool:
    """Membership as JSON has it: true is not 1."""
    return any(value == c and isinstance(value, bool) == isinstance(c, bool) for c in choices)


def _within(schema: Mapping[str, Any], value: float) -> bool:
    return all(fits(value, schema[key]) for key, fits in _LIMITS.items() if key in schema)


def _items(schema: Mapping[str, Any], value: list[Any]) -> bool:
    return len(value) >= schema.get("minItems", 0) and all(accepts(schema.get("items", {}), v) for v in value)


def _properties(schema: Mapping[str, Any], value: dict[str, Any]) -> bool:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    return all(accepts(known.get(k, rest), v) for k, v in value.items())
