"""From Lark's tree to nodes: values, spans, and what a grammar cannot say (same keys, widths of rows)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from lark import Token, Tree

from pipeline_dsl.diagnostics import Related, Span
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Findings
from pipeline_dsl.syntax.mending import without_entry
from pipeline_dsl.syntax.nodes import (
    Entry,
    Key,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Style,
    Table,
    TypedTable,
)
from pipeline_dsl.syntax.repairs import Repair
from pipeline_dsl.syntax.widths import fitted

Part: TypeAlias = "Tree[Token] | Token"

STYLES = {
    "BARE": Style.BARE,
    "NUMBER": Style.NUMBER,
    "KEYWORD": Style.KEYWORD,
    "STRING": Style.QUOTED,
    "TEXT": Style.BLOCK,
    "EMPTY": Style.EMPTY,
}
MARKS = frozenset({"LSQB", "RSQB", "LBRACE", "RBRACE", "LPAR", "RPAR", "BAR", "ROW", "TABLE", "SEP", "DASH"})


class Builder:
    """Makes the nodes of one source; notes duplicate keys and columns and rows of the wrong width."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.source = findings.source

    def document(self, tree: Tree[Token]) -> Mapping:
        """The root mapping; its span is the whole text."""
        return Mapping(self._entries(tree.children), Span(self.source, 0, len(self.source.text)))

    def value(self, part: Part) -> Node:
        """One value."""
        if isinstance(part, Token):
            return Scalar(part.value, STYLES[part.type], self._span(part, part))
        match part.data:
            case "list" | "tuple":
                return Sequence(tuple(self.value(p) for p in _inner(part)), self._bracketed(part))
            case "braces":
                return Mapping(self._entries(part.children), self._bracketed(part))
            case "mapping":
                entries = self._entries(part.children)
                damaged = [self._line(tree) for tree in part.children if _is_damaged(tree)]
                return Mapping(entries, _around([*(entry.span for entry in entries), *damaged]))
            case "values":
                items = tuple(self.value(p) for p in self._readable(part.children))
            case "items":
                items = tuple(self._item(p) for p in self._trees(part.children))
            case _:
                self._entries(part.children)
                return self.null(self.source.text.find("\n"))
        return Sequence(items, _around([item.span for item in items]))

    def _entries(self, parts: Iterable[Part]) -> tuple[Entry, ...]:
        """Entries with distinct names; the first of two with one name is kept, and the second noted."""
        found: dict[str, Entry] = {}
        for tree in self._trees(parts):
            entry = self._entry(tree)
            first = found.setdefault(entry.key.name, entry)
            if first is not entry:
                repairs = without_entry(self.source.text, entry.span.start, entry.span.end)
                self._note_twice(Code.DUPLICATE_KEY, "key", entry.key, first.key, repairs)
        return tuple(found.values())

    def _entry(self, tree: Tree[Token]) -> Entry:
        first = tree.children[0]
        assert isinstance(first, Token)  # noqa: S101 - the grammar says so
        key = self._key(first)
        match tree.data:
            case "table":
                return Entry(key, self._table(tree))
            case "typed":
                return Entry(key, self._typed(tree))
        last = tree.children[-1]
        if isinstance(last, Token) and last.type == "SEP":
            return Entry(key, self.null(last.end_pos or 0))
        return Entry(key, self._block(last))

    def _block(self, part: Part) -> Node:
        """A value, or null for a block in which nothing could be read."""
        if isinstance(part, Tree) and part.data == "junk":
            start = self._first(part)
            self._skip(part)
            return self.null(start)
        return self.value(part)

    def _item(self, tree: Tree[Token]) -> Node:
        last = tree.children[-1]
        if isinstance(last, Token) and last.type == "DASH":
            return self.null(last.end_pos or 0)
        return self._block(last)

    def _table(self, tree: Tree[Token]) -> Table:
        header = tree.children[1]
        assert isinstance(header, Tree)  # noqa: S101 - the grammar says so
        columns = tuple(self._key(token) for token in _tokens(header, "KEY"))
        seen: dict[str, Key] = {}
        for column in columns:
            first = seen.setdefault(column.name, column)
            if first is not column:
                self._note_twice(Code.DUPLICATE_COLUMN, "column", column, first)
        bars = _tokens(header, "BAR")
        span = self._span(bars[0], bars[-1])
        rows = self._rows(tree.children[2:], len(columns), span)
        return Table(columns, rows, _around([span, *(row.span for row in rows)]))

    def _typed(self, tree: Tree[Token]) -> TypedTable:
        header = tree.children[2]
        assert isinstance(header, Tree)  # noqa: S101 - the grammar says so
        types = tuple(self._key(token) for token in _tokens(header, "KEY"))
        span = self._span(_tokens(header, "TABLE")[0], _tokens(header, "RBRACE")[0])
        rows = self._rows(tree.children[3:], len(types), span)
        last = tree.children[-1]
        brackets = [self._bracketed(last)] if isinstance(last, Tree) and last.data == "tuples" else []
        return TypedTable(types, rows, _around([span, *(row.span for row in rows), *brackets]))

    def _rows(self, parts: Iterable[Part], width: int, header: Span) -> tuple[Sequence, ...]:
        """The rows that have the right width; of a typed table without types, the first row says it."""
        rows: list[Sequence] = []
        for part in parts:
            if isinstance(part, Token):
                continue
            group = [part] if part.data == "row" else list(self._trees(part.children))
            for tree in group:
                row = self._row(tree)
                width = width or len(row.items)
                if self._fits(row, width, header):
                    rows.append(row)
        return tuple(rows)

    def _row(self, tree: Tree[Token]) -> Sequence:
        items = tuple(self.value(part) for part in _inner(tree))
        span = self._bracketed(tree) if tree.data == "tuple" else _around([item.span for item in items])
        return Sequence(items, span)

    def _fits(self, row: Sequence, width: int, header: Span) -> bool:
        found = len(row.items)
        if found == width:
            return True
        cells = f"{found} cell{'s' if found != 1 else ''}"
        place = row.items[width].span if found > width else row.span
        self.findings.add(
            Code.LONG_ROW if found > width else Code.SHORT_ROW,
            place.start,
            row.span.end,
            f"this row has {cells}, but the table has {width} column{'s' if width != 1 else ''}",
            help="put a text that contains a comma in quotes; a row has no comma at its end"
            if found > width
            else "write `null` for a cell without a value",
            related=(Related(message="the columns", span=header),),
            repairs=fitted(self.source.text, row, width),
        )
        return False

    def _trees(self, parts: Iterable[Part]) -> Iterable[Tree[Token]]:
        """The readable statements among ``parts``; the others are looked through for their findings."""
        for part in parts:
            if isinstance(part, Tree):
                if part.data in ("bad", "junk"):
                    self._skip(part)
                else:
                    yield part

    def _readable(self, parts: Iterable[Part]) -> Iterable[Part]:
        for part in parts:
            if isinstance(part, Tree) and part.data in ("bad", "junk"):
                self._skip(part)
            else:
                yield part

    def _skip(self, tree: Tree[Token]) -> None:
        """Build what stands under a damaged statement, for the findings in it, and drop it."""
        for part in tree.children:
            if isinstance(part, Tree):
                if part.data in ("bad", "junk"):
                    self._skip(part)
                elif part.data == "bad_rows":
                    for row in self._trees(part.children):
                        self._row(row)
                else:
                    self.value(part)

    def _note_twice(
        self, code: Code, what: str, key: Key, first: Key, repairs: tuple[Repair, ...] = ()
    ) -> None:
        self.findings.add(
            code,
            key.span.start,
            key.span.end,
            f"the {what} `{key.name}` stands here a second time",
            help=f"give each {what} a name of its own, or remove one of the two",
            related=(Related(message=f"`{first.name}` stands here first", span=first.span),),
            repairs=repairs,
        )

    def _key(self, token: Token) -> Key:
        return Key(token.value, self._span(token, token))

    def null(self, place: int) -> Scalar:
        """A null that nobody wrote, at an offset."""
        return Scalar(None, Style.EMPTY, Span(self.source, place, place))

    def _span(self, first: Token, last: Token) -> Span:
        return Span(self.source, first.start_pos or 0, last.end_pos or 0)

    def _bracketed(self, tree: Tree[Token]) -> Span:
        first, last = tree.children[0], tree.children[-1]
        assert isinstance(first, Token)  # noqa: S101 - the grammar says so
        assert isinstance(last, Token)  # noqa: S101 - as above
        return self._span(first, last)

    def _line(self, part: Part) -> Span:
        """From the start of a statement that could not be read to the end of its line."""
        start = self._first(part)
        end = self.source.text.find("\n", start)
        return Span(self.source, start, end if end >= 0 else len(self.source.text))

    def _first(self, tree: Part) -> int:
        part = tree
        while isinstance(part, Tree):
            part = part.children[0]
        return part.start_pos or 0


def _is_damaged(part: Part) -> bool:
    return isinstance(part, Tree) and part.data in {"bad", "junk"}


def _inner(tree: Tree[Token]) -> Iterable[Part]:
    """The children that are values, without brackets and other marks."""
    return (part for part in tree.children if isinstance(part, Tree) or part.type not in MARKS)


def _tokens(tree: Tree[Token], type_: str) -> list[Token]:
    return [part for part in tree.children if isinstance(part, Token) and part.type == type_]


def _around(spans: list[Span]) -> Span:
    return Span(spans[0].source, min(s.start for s in spans), max(s.end for s in spans))
