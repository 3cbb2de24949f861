"""From a value to a text that reads as the same value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from pipeline_dsl.syntax.names import CONTROL, INVISIBLE, normal
from pipeline_dsl.syntax.nodes import Value
from pipeline_dsl.syntax.strings import quote
from pipeline_dsl.syntax.terminals import KEY_ALONE
from pipeline_dsl.syntax.words import LARGEST, SMALLEST, NotANumberError, classify

PLAIN = re.compile(r"[A-Za-z0-9_./~@%](?:[A-Za-z0-9_./~@%+-]|:(?=[A-Za-z0-9/]))*(?: [A-Za-z0-9_./~@%+-]+)*")
PLAIN_NAME = re.compile(r"(?!-\Z)[A-Za-z0-9_./-]+")
MAX_DEPTH = 64
INDENT = "    "
WIDTH = 100


def render(value: Value, *, tables: bool = False) -> str:
    """Write a mapping as a recipe's text: ``plain(parse(text).root) == value``; anything else on one line.

    With ``tables``, a list of mappings with the same keys and single values becomes a table.

    Raises ValueError for what cannot stand in a text: NUL, a lone surrogate, an integer past 64 bits, a
    float that is no number, nesting past 64, and two keys that are equal in NFC. Keys are written in NFC.
    """
    if isinstance(value, dict):
        return "".join(f"{line}\n" for line in _block(value, 0, tables=tables))
    return render_value(value)


def render_value(value: Value) -> str:
    """Write any value on one line, as it can stand behind a key, in a list, in a cell or after ``--set``.

    Raises ValueError like ``render``.
    """
    return _inline(value, 1)


def render_key(name: str) -> str:
    """Write one key, with quotes where it needs them."""
    name = normal(name)
    return name if PLAIN_NAME.fullmatch(name) or _is_bare_name(name) else quote(name)


def render_scalar(value: bool | float | str | None) -> str:  # noqa: FBT001 - a value, no flag
    """Write one scalar so that it can stand anywhere: in a block, a list, a mapping or a cell."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            if not SMALLEST <= value <= LARGEST:
                message = f"an integer of {value.bit_length()} bits does not fit 64"
                raise ValueError(message)
            return str(value)
        case float():
            return _float(value)
    return value if _is_bare(value) else quote(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        message = f"{value} cannot stand in a text"
        raise ValueError(message)
    return repr(value)


def _is_bare(text: str) -> bool:
    if PLAIN.fullmatch(text):
        try:
            return classify(text)[0] == "BARE"
        except NotANumberError:
            return False
    return _is_bare_name(text)


def _is_bare_name(text: str) -> bool:
    """Whether a text of letters of any script can stand without quotes as a key and as a value."""
    return (
        text.isprintable()
        and not text.isascii()
        and text[0].isalpha()
        and all(char.isalnum() or char in "_./-" for char in text)
        and KEY_ALONE.fullmatch(text) is not None
        and not (INVISIBLE.search(text) or CONTROL.search(text))
        and not any("\u0370" <= char <= "\u052f" or "\u1c80" <= char <= "\u1fff" for char in text)
    )


def _names(value: dict[str, Value]) -> Iterator[tuple[str, Value]]:
    seen: set[str] = set()
    for name, item in value.items():
        if normal(name) in seen:
            message = f"two keys that are the same name: {name!r}"
            raise ValueError(message)
        seen.add(normal(name))
        yield render_key(name), item


def _block(value: dict[str, Value], depth: int, *, tables: bool) -> Iterator[str]:
    _refuse_deep(depth)
    indent = INDENT * depth
    for key, item in _names(value):
        if isinstance(item, dict) and item:
            yield f"{indent}{key}:"
            yield from _block(item, depth + 1, tables=tables)
        elif tables and (rows := _rows(item)):
            yield from _table(f"{indent}{key}", rows, depth)
        elif isinstance(item, list) and item:
            yield from _list(f"{indent}{key}:", item, depth)
        else:
            yield f"{indent}{key}: {_inline(item, depth + 1)}"


def _rows(items: Value) -> list[dict[str, Value]]:
    """The rows of a list that can stand as a table; none where it cannot."""
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    names = list(rows[0]) if rows else []
    fits = rows == items and len(names) > 1 and all(list(row) == names for row in rows)
    single = all(not isinstance(cell, dict | list) for row in rows for cell in row.values())
    return rows if fits and single else []


def _table(head: str, rows: list[dict[str, Value]], depth: int) -> Iterator[str]:
    _refuse_deep(depth + 1)
    yield f"{head} |{', '.join(key for key, _ in _names(rows[0]))}|"
    for row in rows:
        yield INDENT * (depth + 1) + ", ".join(_inline(cell, depth + 2) for cell in row.values())


def _list(head: str, items: list[Value], depth: int) -> Iterator[str]:
    line = f"{head} {_inline(items, depth + 1)}"
    if len(line) <= WIDTH and not any(isinstance(item, dict) for item in items):
        yield line
        return
    yield head
    for item in items:
        yield f"{INDENT * (depth + 1)}- {_inline(item, depth + 2)}"


def _inline(value: Value, depth: int) -> str:
    if isinstance(value, dict):
        _refuse_deep(depth)
        return "{" + ", ".join(f"{key}: {_inline(item, depth + 1)}" for key, item in _names(value)) + "}"
    if isinstance(value, list):
        _refuse_deep(depth)
        return "[" + ", ".join(_inline(item, depth + 1) for item in value) + "]"
    return render_scalar(value)


def _refuse_deep(depth: int) -> None:
    if depth > MAX_DEPTH:
        message = f"nested more than {MAX_DEPTH} deep"
        raise ValueError(message)
