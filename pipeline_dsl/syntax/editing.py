"""``with_value``: a text with one value in another's place, and every byte beside it as it was.

A change is tried on the text and read again: it counts only if the text then says the new value there, and
the same as before everywhere else. So it is enough to know the ways in which a value may be written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from pipeline_dsl.diagnostics import Edit, Source, Span
from pipeline_dsl.syntax.appending import added_entry
from pipeline_dsl.syntax.nodes import (
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Style,
    Table,
    TypedTable,
    Value,
    plain,
)
from pipeline_dsl.syntax.parser import Parsed, parse
from pipeline_dsl.syntax.render import render_key, render_value
from pipeline_dsl.syntax.strings import quote

Steps: TypeAlias = tuple[str | int, ...]
Edits: TypeAlias = tuple[Edit, ...]


def with_value(parsed: Parsed, steps: Steps, new: Node) -> str | None:
    """Return a text in which the value at ``steps`` is that of ``new``; None where that cannot be written.

    The last steps may lead to entries that are not there yet. A value is written as ``new`` is spelled, where
    that reads the same in its place. A block or table is replaced whole, with the comments in it.
    """
    wanted = repr(_placed(plain(parsed.root), steps, plain(new)))
    source = parsed.source
    for edits in _ways(parsed.root, steps, new, source.text):
        text = _edited(source.text, edits)
        again = parse(Source.of(source.name, text))
        if again.ok and repr(plain(again.root)) == wanted:
            return text
    return None


def _placed(value: Value, steps: Steps, new: Value) -> Value:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(value, list) and isinstance(step, int):
        return [_placed(item, rest, new) if n == step else item for n, item in enumerate(value)]
    entries = value if isinstance(value, dict) else {}
    return {**entries, str(step): _placed(entries.get(str(step)), rest, new)}


def _edited(text: str, edits: Edits) -> str:
    for edit in sorted(edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _ways(root: Mapping, steps: Steps, new: Node, text: str) -> Iterator[Edits]:
    """The changes that may set a value, the best first."""
    entry: Entry | None = None
    node: Node = root
    for depth, step in enumerate(steps):
        child = _child(node, step)
        if child is None:
            for spelling in _spellings(new, steps[depth + 1 :]):
                if isinstance(node, Mapping):
                    key = render_key(str(step))
                    ways = added_entry(node, key, spelling, text, is_root=node is root)
                    yield from ((edit,) for edit in ways)
                else:
                    yield from _replacing(node, entry, f"{{{render_key(str(step))}: {spelling}}}", text)
            return
        entry = child if isinstance(child, Entry) else None
        node = child.value if isinstance(child, Entry) else child
    for spelling in _spellings(new, ()):
        yield from _replacing(node, entry, spelling, text)


def _child(node: Node, step: str | int) -> Entry | Node | None:
    if isinstance(node, Mapping):
        return node.entry(str(step))
    if isinstance(node, Scalar):
        return None
    if isinstance(node, Table):
        return node.as_sequence().items[int(step)]
    items = node.rows if isinstance(node, TypedTable) else node.items
    return items[int(step)]


def _spellings(new: Node, names: Steps) -> Iterator[str]:
    """A value as it was given, as a program writes it, and in quotes; in braces for each name around it."""
    opening = "".join(f"{{{render_key(str(name))}: " for name in names)
    value = plain(new)
    quotes = (quote(value),) if isinstance(value, str) else ()
    for spelling in (new.span.text or "null", render_value(value), *quotes):
        yield f"{opening}{spelling}{'}' * len(names)}"


def _replacing(node: Node, entry: Entry | None, spelling: str, text: str) -> Iterator[Edits]:
    source, start, end = node.span.source, node.span.start, node.span.end

    def edit(start: int, end: int, text: str) -> Edit:
        return Edit(span=Span(source, start, end), text=text)

    if isinstance(node, Scalar) and node.style is Style.EMPTY:
        for written in (f" {spelling}", spelling, f" {spelling} ", f"{spelling} "):
            yield (edit(start, end, written),)
        return
    if entry is not None and isinstance(node, Table):
        yield (edit(entry.key.span.end, end, f": {spelling}"),)
        return
    if entry is not None and is_block(node):
        yield (
            edit(_sign(entry, text), _sign(entry, text), f" {spelling}"),
            edit(*_lines(start, end, text), ""),
        )
        return
    yield (edit(start, end, spelling),)
    dash = text.rfind("-", 0, start)
    if dash >= 0 and not text[dash + 1 : start].strip():
        yield (edit(dash + 1, end, f" {spelling}"),)


def is_block(node: Node) -> bool:
    """Whether a value stands on lines of its own, without brackets."""
    match node:
        case Mapping(entries=(first, *_)):
            return first.key.span.start == node.span.start
        case Sequence(items=(item, *_)):
            return item.span.start == node.span.start or node.span.text.startswith("-")
    return False


def _sign(entry: Entry, text: str) -> int:
    """The offset behind the sign of an entry."""
    place = entry.key.span.end
    while text[place] not in ":=":
        place += 1
    return place + 1


def _lines(start: int, end: int, text: str) -> tuple[int, int]:
    """A block with the white space around it, up to the line after it; a comment behind it stays."""
    first = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end + 1
    return (first, line_end) if not text[end:line_end].strip() else (first, end)
