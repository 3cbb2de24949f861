"""What the cursor is in: a key, a value, a column; at which path, and what stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.language_server.outline import Kind, Outline, Stem
from pipeline_dsl.language_server.pieces import Piece, Pieces, Role
from pipeline_dsl.recipe.paths import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One place in a text."""

    role: Role
    path: Steps
    """Of the value; of a key and a column that of the block or table in which it stands."""
    start: int
    end: int
    """Of the word there."""
    word: str
    """The whole word, as it is written."""
    typed: str
    """What of it stands before the cursor."""
    taken: tuple[str, ...] = ()
    """Keys or columns that the block or table has already."""
    beside: tuple[Piece, ...] = ()
    """The words of the same statement."""
    bare: bool = False
    """Whether nothing follows that would make it an entry: it may become a key or a value."""

    def said(self, path: Steps) -> str | None:
        """What the same statement says at a path."""
        return next((p.name for p in self.beside if p.role is Role.VALUE and p.path == path), None)


def spot(outline: Outline, offset: int) -> Spot:
    """Say what is at an offset."""
    index = outline.at(offset)
    line = outline.text.rfind("\n", 0, offset) + 1
    stem = outline.stems[index] if index >= 0 else None
    if stem is None or offset > stem.stop or (stem.start > offset and stem.kind is not Kind.ROW):
        return _blank(outline, offset, line)
    while index > 0 and stem.start > offset and outline.stems[index - 1].line == stem.line:
        index -= 1
        stem = outline.stems[index]
    if stem.kind in {Kind.ENTRY, Kind.TABLE} and offset <= stem.end:
        return _key(outline, index, offset)
    if stem.kind is Kind.TABLE:
        return _column(outline, index, offset)
    if stem.kind is Kind.LOOSE:
        return _loose(outline, index, offset)
    return _value(outline, index, offset)


def _key(outline: Outline, index: int, offset: int) -> Spot:
    stem = outline.stems[index]
    taken = tuple(str(outline.stems[i].step) for i in outline.below(stem.parent) if i != index)
    return Spot(
        role=Role.KEY, path=outline.path(stem.parent), start=stem.start, end=stem.end, taken=taken,
        word=outline.text[stem.start : stem.end], typed=outline.text[stem.start : offset],
    )  # fmt: skip


def _column(outline: Outline, index: int, offset: int) -> Spot:
    stem, text = outline.stems[index], outline.text
    start, end = next(((a, b) for a, b in stem.heads if a <= offset <= b), (offset, offset))
    word = text[start:end]
    taken = tuple(name for name in stem.columns if name != word)
    path = (*outline.path(index), 0)
    return Spot(
        role=Role.COLUMN, path=path, start=start, end=end, word=word, typed=text[start:offset], taken=taken
    )


def _value(outline: Outline, index: int, offset: int) -> Spot:
    stem, text = outline.stems[index], outline.text
    until = Pieces(
        text, stem.value, max(offset, stem.value), outline.path(index), _columns(outline, stem)
    ).read()
    frame = until.frames[-1]
    every = tuple(outline.pieces(index).found)
    if until.in_comment:
        return Spot(role=Role.NOTHING, path=frame.path, start=offset, end=offset, word="", typed="")
    here = next((p for p in every if p.start <= offset <= p.end and p.start >= stem.value), None)
    start, end = (here.start, here.end) if here else (offset, offset)
    role, path = (Role.KEY, frame.path) if frame.at_key else (Role.VALUE, frame.inner())
    taken = tuple(p.name for p in every if p.role is Role.KEY and p.path == frame.path and p != here)
    return Spot(
        role=role, path=path, start=start, end=end, word=text[start:end], typed=text[start:offset],
        taken=taken, beside=every,
    )  # fmt: skip


def _columns(outline: Outline, stem: Stem) -> tuple[str, ...] | None:
    return outline.stems[stem.parent].columns if stem.kind is Kind.ROW else None


def _loose(outline: Outline, index: int, offset: int) -> Spot:
    """A word that stands alone: a key without its colon yet, or a value of a block list."""
    stem = outline.stems[index]
    below = outline.below(stem.parent)
    taken = tuple(str(outline.stems[i].step) for i in below if outline.stems[i].kind is not Kind.LOOSE)
    text, path = outline.text, outline.path(stem.parent)
    return Spot(
        role=Role.KEY, path=path, start=stem.start, end=stem.stop, taken=taken, bare=True,
        word=text[stem.start : stem.stop], typed=text[stem.start : max(offset, stem.start)],
    )  # fmt: skip


def _blank(outline: Outline, offset: int, line: int) -> Spot:
    """A line on which nothing stands before the cursor: what could begin there by its indentation."""
    before = outline.text[line:offset]
    if "#" in before:
        return Spot(role=Role.NOTHING, path=(), start=offset, end=offset, word="", typed="")
    index = outline.at(max(line - 1, 0)) if line else -1
    while index >= 0 and not _may_hold(outline.stems[index], len(before)):
        index = outline.stems[index].parent
    stem = outline.stems[index] if index >= 0 else None
    if stem is not None and stem.kind is Kind.TABLE:
        path = (*outline.path(index), stem.children, *stem.columns[:1])
        return Spot(role=Role.VALUE, path=path, start=offset, end=offset, word="", typed="")
    taken = tuple(str(outline.stems[i].step) for i in outline.below(index))
    path = outline.path(index)
    return Spot(role=Role.KEY, path=path, start=offset, end=offset, word="", typed="", taken=taken, bare=True)


def _may_hold(stem: Stem, indent: int) -> bool:
    return stem.indent < indent and stem.kind not in {Kind.ROW, Kind.LOOSE}
