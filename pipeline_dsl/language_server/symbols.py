"""The outline of a text for people, and what of it folds."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.language_server.outline import Kind, Outline, Stem
from pipeline_dsl.language_server.pieces import Role
from pipeline_dsl.language_server.places import NAMED

_DEEPEST = 2
"""Phases and their parts; what is in them is text."""
_DETAIL = 60


@dataclass(slots=True)
class Symbol:
    """One line of the outline."""

    name: str
    kind: str
    """``section``, ``named``, ``row`` or ``key``."""
    detail: str
    start: int
    end: int
    key: tuple[int, int]
    inner: list[Symbol]


def symbols(shape: Outline) -> list[Symbol]:
    """Return the outline: keys and rows, as deep as phases go."""
    top: list[Symbol] = []
    made: dict[int, Symbol] = {}
    depths: dict[int, int] = {-1: -1}
    phases = False
    for index, stem in enumerate(shape.stems):
        depths[index] = depths[stem.parent] + 1
        if depths[index] > _DEEPEST or stem.kind in {Kind.LOOSE, Kind.ITEM}:
            continue
        if depths[index] == 0:
            phases = stem.step == "phases"
        elif depths[index] > 1 and not phases:
            continue
        made[index] = symbol = _symbol(shape, index, depths[index])
        parent = made.get(stem.parent)
        (top if stem.parent < 0 else parent.inner if parent else []).append(symbol)
    for index in reversed(range(len(shape.stems))):
        stem = shape.stems[index]
        own, parent = made.get(index), made.get(stem.parent)
        if own and parent:
            parent.end = max(parent.end, own.end)
        elif parent:
            parent.end = max(parent.end, stem.stop)
    return top


def folds(shape: Outline) -> list[tuple[int, int]]:
    """Return the first and last line of everything that goes on below its line."""
    last = [stem.line + shape.text.count("\n", stem.start, stem.stop) for stem in shape.stems]
    for index in reversed(range(len(shape.stems))):
        parent = shape.stems[index].parent
        if parent >= 0:
            last[parent] = max(last[parent], last[index])
    lines = {stem.line: end for stem, end in reversed(list(zip(shape.stems, last, strict=True)))}
    return [(line, end) for line, end in sorted(lines.items()) if end > line]


def _symbol(shape: Outline, index: int, depth: int) -> Symbol:
    stem, text = shape.stems[index], shape.text
    if stem.kind is Kind.ROW:
        words = [p for p in shape.pieces(index).found if p.role is Role.VALUE]
        name = words[0].name if words else "row"
        key = (words[0].start, words[0].end) if words else (stem.start, stem.stop)
        rest = text[key[1] : stem.stop].strip(" \t,\r")
        return Symbol(name or "row", "row", rest[:_DETAIL], stem.start, stem.stop, key, [])
    named = depth == 1 and shape.stems[stem.parent].step in NAMED
    kind = "named" if named else "section" if depth == 0 else "key"
    return Symbol(
        str(stem.step) or '""', kind, _detail(text, stem), stem.start, stem.stop, (stem.start, stem.end), []
    )


def _detail(text: str, stem: Stem) -> str:
    """What stands on the line behind a key."""
    if stem.kind is Kind.TABLE:
        return ", ".join(stem.columns)
    line = text[stem.value : stem.stop].partition("\n")[0]
    return line.partition(" #")[0].strip()[:_DETAIL]
