"""The tree that a text becomes: plain frozen values, each with its place.

``Table`` and ``TypedTable`` keep their shape for tools that write the text again; ``as_sequence`` gives the
meaning they share with a list of mappings (or of lists), which is all that the recipe layer looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pipeline_dsl.diagnostics import Span

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"


class Style(StrEnum):
    """How a scalar was written."""

    BARE = "bare"
    QUOTED = "quoted"
    BLOCK = "block"
    NUMBER = "number"
    KEYWORD = "keyword"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Key:
    """A name before ``:`` or ``=``, or of a column. ``name`` is in NFC; the span covers its spelling."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: null, a boolean, a 64-bit integer, a float or a string. ``span.text`` is its spelling."""

    value: bool | int | float | str | None
    style: Style
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``key: value`` of a mapping."""

    key: Key
    value: Node

    @property
    def span(self) -> Span:
        """From the key to the end of the value, or the key alone where the value stands in another text."""
        if self.value.span.source is not self.key.span.source:
            return self.key.span
        return self.key.span.to(self.value.span)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Entries in written order; their names are distinct."""

    entries: tuple[Entry, ...]
    span: Span

    def get(self, name: str) -> Node | None:
        """The value under a name, or None where there is no such entry."""
        entry = self.entry(name)
        return entry.value if entry else None

    def entry(self, name: str) -> Entry | None:
        """The entry under a name, or None."""
        return next((e for e in self.entries if e.key.name == name), None)

    def names(self) -> tuple[str, ...]:
        """The names in written order."""
        return tuple(e.key.name for e in self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list, from brackets, ``- item`` lines or a block of one value a line."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Table:
    """``name |a, b|`` and its rows; every row has one cell a column. An empty cell is the string ``""``."""

    columns: tuple[Key, ...]
    rows: tuple[Sequence, ...]
    span: Span

    def as_sequence(self) -> Sequence:
        """The same as a list of mappings, columns as keys; spans stay those of the cells."""
        rows = (
            Mapping(tuple(Entry(k, v) for k, v in zip(self.columns, row.items, strict=True)), row.span)
            for row in self.rows
        )
        return Sequence(tuple(rows), self.span)


@dataclass(frozen=True, slots=True)
class TypedTable:
    """``table{f64, f64}`` and its rows, read as a list of lists."""

    types: tuple[Key, ...]
    rows: tuple[Sequence, ...]
    span: Span

    def as_sequence(self) -> Sequence:
        """The same as a list of lists."""
        return Sequence(self.rows, self.span)


Node: TypeAlias = Scalar | Mapping | Sequence | Table | TypedTable


def plain(node: Node) -> Value:
    """Return the value of a node without places: what ``medrecipe sdn to-json`` prints."""
    match node:
        case Scalar(value=value):
            return value
        case Mapping(entries=entries):
            return {e.key.name: plain(e.value) for e in entries}
        case Sequence(items=items):
            return [plain(item) for item in items]
        case _:
            return plain(node.as_sequence())
