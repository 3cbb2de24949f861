"""Options of a provider: one frozen keyword-only dataclass, from which its JSON Schema is derived.

``plugins/README.md`` shows one.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Json = dict[str, Any]

_SCALARS: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def option(
    default: Any = dataclasses.MISSING,
    *,
    doc: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_items: int | None = None,
    path: bool = False,
    known_as: Sequence[str] = (),
    since: str | None = None,
    deprecated: str | None = None,
) -> Any:
    """Declare one option: a dataclass field with its documentation and limits.

    Args:
        default: its default; without one the option is required.
        doc: one line for people, in the schema's ``description``.
        ge: least value of a number.
        gt: what a number must be above.
        le: largest value of a number.
        lt: what a number must be below.
        min_items: the least length of a list.
        path: a file or folder; it is made absolute against the file in which it is written.
        known_as: what other tools call it; who writes one of these is told its name here.
        since: the version that brought it.
        deprecated: what to use instead.
    """
    limits = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    extra: Json = {_LIMITS[k]: v for k, v in limits.items() if v is not None}
    if min_items is not None:
        extra["minItems"] = min_items
    if path:
        extra["format"] = "path"
    if known_as:
        extra["x-known-as"] = list(known_as)
    if since:
        extra["since"] = since
    if deprecated:
        extra |= {"deprecated": True, "x-use-instead": deprecated}
    return dataclasses.field(default=default, metadata={"description": doc, "schema": extra})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoOptions:
    """This provider has no options."""


@functools.cache
def schema_of(options: type) -> Json:
    """Return the JSON Schema (2020-12) of an options class: closed, with defaults and descriptions."""
    hints = _hints(options)
    fields = dataclasses.fields(options)
    required = [f.name for f in fields if f.default is dataclasses.MISSING]
    schema: Json = {
        "type": "object",
        "description": (options.__doc__ or "").strip(),
        "properties": {f.name: _property(f, hints[f.name]) for f in fields},
        "additionalProperties": False,
    }
    return schema | ({"required": required} if required else {})


def construct(options: type[T], values: Mapping[str, Any]) -> T:
    """Make an options value from plain JSON that the schema accepts: lists become tuples, 1 becomes 1.0."""
    hints = _hints(typing.cast("type", options))
    return options(**{name: _convert(hints[name], value) for name, value in values.items()})


def plain_options(options: object) -> Json:
    """Return an options value as JSON, defaults included."""
    fields = dataclasses.fields(options)  # type: ignore[arg-type]  # an instance of an options class
    return {f.name: _jsonable(getattr(options, f.name)) for f in fields}


@functools.cache
def _hints(options: type) -> dict[str, Any]:
    return typing.get_type_hints(options)


def _property(field: dataclasses.Field[Any], hint: object) -> Json:
    schema = _type_schema(hint, dict(field.metadata.get("schema", {})))
    schema["description"] = field.metadata.get("description", "")
    if field.default is not dataclasses.MISSING:
        schema["default"] = _jsonable(field.default)
    return schema


def _type_schema(hint: object, extra: Json) -> Json:
    """Schema of one type; ``extra`` (limits) goes where the numbers or items are."""
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]} | extra
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(args)} | extra
    if origin in (types.UnionType, typing.Union):
        return _union_schema(args, extra)
    if origin is tuple:
        return {"type": "array", "items": _type_schema(args[0], {})} | extra
    if origin in (Mapping, dict):
        return {"type": "object", "additionalProperties": _type_schema(args[1], {})} | extra
    msg = f"an option cannot have the type {hint!r}; see pipeline_dsl.api.options"
    raise TypeError(msg)


def _union_schema(args: tuple[Any, ...], extra: Json) -> Json:
    members = [a for a in args if a is not type(None)]
    schemas = [_type_schema(a, dict(extra) if _takes(a, extra) else {}) for a in members]
    if len(args) > len(members):
        schemas.append({"type": "null"})
    types_ = [s["type"] for s in schemas if set(s) == {"type"}]
    if len(types_) == len(schemas):
        return {"type": types_}
    if schemas[1:] == [{"type": "null"}] and "type" in schemas[0]:
        return schemas[0] | {"type": [schemas[0]["type"], "null"]}
    return {"anyOf": schemas}


def _takes(hint: object, extra: Json) -> bool:
    """Whether limits belong to this member of a union: those of numbers not to a text."""
    of_numbers = any(limit in extra for limit in _LIMITS.values())
    return bool(extra) and not (of_numbers and hint is str)


def _convert(hint: object, value: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return value if value is None else _convert(_member(args, value), value)
    if hint is float:
        return float(value)
    if origin is tuple:
        return tuple(_convert(args[0], item) for item in value)
    if origin in (Mapping, dict):
        return {key: _convert(args[1], item) for key, item in value.items()}
    return value


def _member(args: tuple[Any, ...], value: object) -> object:
    """The member of a union that fits a JSON value that the schema accepted."""
    for arg in args:
        origin = typing.get_origin(arg)
        if arg is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return arg
        if origin is tuple and isinstance(value, Sequence) and not isinstance(value, str):
            return arg
        if origin in (Mapping, dict) and isinstance(value, Mapping):
            return arg
        if isinstance(arg, type) and isinstance(value, arg):
            return arg
    return str


def _jsonable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_jsonable(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    return value
