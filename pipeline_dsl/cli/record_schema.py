"""JSON Schemas of records that are frozen dataclasses, derived from their fields."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def record_schema(record: type, title: str) -> Json:
    """Return the schema of a dataclass; the dataclasses in it become ``$defs``."""
    definitions: dict[str, Json] = {}
    schema = object_schema(record, definitions)
    head = {"$schema": DIALECT, "title": title}
    return head | schema | ({"$defs": definitions} if definitions else {})


def object_schema(record: type, definitions: dict[str, Json], *, numbers_may_be_null: bool = False) -> Json:
    """Return the schema of a dataclass and put those of the dataclasses in it into ``definitions``."""
    return _Deriver(definitions, numbers_may_be_null).of_record(record)


@dataclass(frozen=True, slots=True)
class _Deriver:
    """Turns annotations into schemas."""

    definitions: dict[str, Json]
    numbers_may_be_null: bool

    def of_record(self, record: type) -> Json:
        """Schema of a dataclass."""
        hints = typing.get_type_hints(record)
        names = [f.name for f in dataclasses.fields(record)]
        return {
            "type": "object",
            "description": " ".join((record.__doc__ or "").split()),
            "properties": {name: self.of_hint(hints[name]) for name in names},
            "required": names,
            "additionalProperties": False,
        }

    def of_hint(self, hint: Any) -> Json:
        """Schema of an annotation."""
        if hint is Any:
            return {}
        if hint is float and self.numbers_may_be_null:
            return {"type": ["number", "null"]}
        if hint in _SCALARS:
            return {"type": _SCALARS[hint]}
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"enum": [member.value for member in hint]}
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self._reference(hint)
        return self._generic(hint)

    def _reference(self, record: type) -> Json:
        name = record.__name__
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self.of_record(record)
        return {"$ref": f"#/$defs/{name}"}

    def _generic(self, hint: Any) -> Json:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in {types.UnionType, typing.Union}:
            return {"anyOf": [self.of_hint(argument) for argument in arguments]}
        if origin is tuple:
            return {"type": "array", "items": self.of_hint(arguments[0])}
        if origin in {dict, AbstractMapping}:
            return {"type": "object", "additionalProperties": self.of_hint(arguments[1])}
        msg = f"a record cannot have the type {hint!r}"
        raise TypeError(msg)
