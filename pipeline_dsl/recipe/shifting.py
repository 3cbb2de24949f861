"""Moving what was parsed from a part of a text to where that part stands in the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline_dsl.diagnostics import Diagnostic, Source, Span
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence, Table, TypedTable


@dataclass(frozen=True, slots=True)
class Shift:
    """Into which source, and by how many code points."""

    source: Source
    by: int

    def span(self, span: Span) -> Span:
        """Move a span."""
        return Span(self.source, span.start + self.by, span.end + self.by)

    def diagnostic(self, found: Diagnostic) -> Diagnostic:
        """Move a finding and its second places; what would mend it is not about a file."""
        related = tuple(replace(r, span=self.span(r.span)) for r in found.related)
        return replace(found, span=self.span(found.span) if found.span else None, related=related, fixes=())

    def node(self, node: Node) -> Node:
        """Move a value and all that is in it."""
        match node:
            case Scalar():
                return replace(node, span=self.span(node.span))
            case Mapping():
                entries = (Entry(self._key(e.key), self.node(e.value)) for e in node)
                return Mapping(tuple(entries), self.span(node.span))
            case Sequence():
                return self._sequence(node)
            case Table():
                return Table(self._keys(node.columns), self._rows(node.rows), self.span(node.span))
            case TypedTable():
                return TypedTable(self._keys(node.types), self._rows(node.rows), self.span(node.span))

    def _sequence(self, node: Sequence) -> Sequence:
        return Sequence(tuple(self.node(item) for item in node.items), self.span(node.span))

    def _key(self, key: Key) -> Key:
        return Key(key.name, self.span(key.span))

    def _keys(self, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        return tuple(self._key(key) for key in keys)

    def _rows(self, rows: tuple[Sequence, ...]) -> tuple[Sequence, ...]:
        return tuple(self._sequence(row) for row in rows)
