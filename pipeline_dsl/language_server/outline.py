"""The lines of a text as they are now, read leniently: what begins on each, and under what it stands.

A pass over 1,000 lines takes a few milliseconds, so one is made for every version of a text. It finds the
shape that ``syntax`` finds in every text that parses (a test holds the two against each other), and a
sensible one in text that does not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline_dsl.language_server.pieces import Pieces
from pipeline_dsl.recipe.paths import Step, Steps
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.terminals import KEY, NEW_LINE, QUOTED_KEY

_ENTRY = re.compile(rf"({KEY}|{QUOTED_KEY})[ \t]*(?:([:=])(?!//)|(\|))")
_ITEM_ENTRY = re.compile(rf"({KEY}|{QUOTED_KEY})[ \t]*(?:([:=])(?=[ \t\r\n]|\Z)|(\|))")
_NAME = re.compile(rf"{KEY}|{QUOTED_KEY}")
_DASH = re.compile(r"-(?:[ \t]+|\Z)")
_LEAD = re.compile(r"[ \t]*")
_OPENING = re.compile(r'["\[{]')


class Kind(StrEnum):
    """What begins on a line."""

    ENTRY = "entry"
    TABLE = "table"
    ITEM = "item"
    ROW = "row"
    LOOSE = "loose"
    """A value of a block list, or an entry that is not yet written to its end."""


@dataclass(slots=True)
class Stem:
    """One thing that begins on a line."""

    kind: Kind
    step: Step
    """Its key, or its place among the rows and items above it."""
    line: int
    indent: int
    start: int
    """Of its key, or of itself."""
    end: int
    value: int
    """Where its value begins."""
    stop: int
    """Where its statement ends, what stands under it left out."""
    parent: int
    columns: tuple[str, ...] = ()
    heads: tuple[tuple[int, int], ...] = ()
    """Where the columns of a table stand."""
    children: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """The stems of a text, in its order."""

    text: str
    stems: tuple[Stem, ...]
    starts: tuple[int, ...] = field(repr=False)
    """Where each stem's line starts."""

    def path(self, index: int) -> Steps:
        """The path of a stem; () for -1, the recipe itself."""
        steps: list[Step] = []
        while index >= 0:
            stem = self.stems[index]
            steps.append(stem.step)
            index = stem.parent
        return tuple(reversed(steps))

    def at(self, offset: int) -> int:
        """The last stem that begins on the line of an offset or before it; -1 for none."""
        end = self.text.find("\n", offset)
        return bisect_right(self.starts, len(self.text) if end < 0 else end) - 1

    def below(self, index: int) -> Iterator[int]:
        """The stems directly under one, in order."""
        for i in range(index + 1, len(self.stems)):
            parent = self.stems[i].parent
            if parent == index:
                yield i
            elif parent < index:
                return

    def find(self, path: Steps) -> int:
        """The stem at a path, or -1; also -1 for the recipe itself."""
        index = -1
        for step in path:
            index = next((i for i in self.below(index) if self.stems[i].step == step), -2)
            if index < 0:
                return -1
        return index

    def pieces(self, index: int, end: int | None = None) -> Pieces:
        """The words of a stem's value, up to ``end``."""
        stem = self.stems[index]
        stop = stem.stop if end is None else min(end, stem.stop)
        columns = self.stems[stem.parent].columns if stem.kind is Kind.ROW else None
        return Pieces(self.text, stem.value, stop, self.path(index), columns).read()


def outline(text: str) -> Outline:
    """Read the lines of a text."""
    reading = _Reading(text)
    position = 1 if text.startswith("\ufeff") else 0
    line = 0
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        stop = reading.take(position, end, line)
        line += 1 + text.count("\n", end + 1, stop + 1) if stop > end else 1
        position = max(stop, end)
        after = text.find("\n", position)
        position = len(text) if after < 0 else after + 1
    return Outline(text, tuple(reading.stems), tuple(reading.starts))


class _Reading:
    """State while lines are read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stems: list[Stem] = []
        self.starts: list[int] = []
        self.here = 0
        self.roots = 0
        self.open: list[int] = []

    def take(self, start: int, end: int, line: int) -> int:
        """Read one line; return where its statement ends, which may be lines below."""
        text = self.text
        lead = _LEAD.match(text, start, end)
        at = lead.end() if lead else start
        indent = at - start
        stop = end - 1 if end > at and text[end - 1] == "\r" else end
        if at >= stop or text[at] == "#":
            return end
        self.here = start
        dash = _DASH.match(text, at, stop) if text[at] == "-" else None
        self._close(indent, item=dash is not None)
        if self._is_row():
            return self._row(at, stop, line, indent)
        if not dash:
            return self._statement(at, stop, line, indent, _ENTRY)
        inner = dash.end()
        self._add(Stem(Kind.ITEM, 0, line, indent, at, at + 1, inner, stop, -1))
        if inner < stop and text[inner] != "#":
            entry = _ITEM_ENTRY.match(text, inner, stop)
            if entry:
                self.stems[-1].stop = inner
                return self._statement(inner, stop, line, indent + inner - at, _ITEM_ENTRY)
            return self._to_the_end(self.stems[-1], indent)
        return stop

    def _close(self, indent: int, *, item: bool) -> None:
        """Forget the stems under which a line of this indentation does not stand."""
        while self.open:
            top = self.stems[self.open[-1]]
            own_list = item and top.kind is Kind.ENTRY and top.indent == indent
            if top.indent < indent or own_list:
                return
            self.open.pop()

    def _is_row(self) -> bool:
        return bool(self.open) and self.stems[self.open[-1]].kind is Kind.TABLE

    def _row(self, at: int, stop: int, line: int, indent: int) -> int:
        stem = self._add(Stem(Kind.ROW, 0, line, indent, at, at, at, stop, -1))
        self.open.pop()
        return self._to_the_end(stem, indent)

    def _statement(self, at: int, stop: int, line: int, indent: int, entry: re.Pattern[str]) -> int:
        match = entry.match(self.text, at, stop)
        if match is None:
            stem = self._add(Stem(Kind.LOOSE, 0, line, indent, at, stop, at, stop, -1))
            self.open.pop()
            return self._to_the_end(stem, indent)
        name, ends = normal(match[1].strip('"')), at + len(match[1])
        if match[3]:
            return self._table(name, (at, ends), match.end(), stop, line, indent)
        value = match.end()
        while value < stop and self.text[value] in " \t":
            value += 1
        stem = self._add(Stem(Kind.ENTRY, name, line, indent, at, ends, value, stop, -1))
        return self._to_the_end(stem, indent)

    def _table(self, name: str, key: tuple[int, int], after: int, stop: int, line: int, indent: int) -> int:
        bar = self.text.find("|", after, stop)
        bar = stop if bar < 0 else bar
        heads = tuple(match.span() for match in _NAME.finditer(self.text, after, bar))
        columns = tuple(normal(self.text[a:b].strip('"')) for a, b in heads)
        stem = Stem(Kind.TABLE, name, line, indent, *key, after, bar, -1, columns, heads)
        self._add(stem)
        row = bar + 1
        while row < stop and self.text[row] in " \t":
            row += 1
        return self._row(row, stop, line, indent + 1) if row < stop and self.text[row] != "#" else stop

    def _add(self, stem: Stem) -> Stem:
        stem.parent = self.open[-1] if self.open else -1
        if stem.kind not in {Kind.ENTRY, Kind.TABLE}:
            stem.step = self.stems[stem.parent].children if stem.parent >= 0 else self.roots
        if stem.parent >= 0:
            self.stems[stem.parent].children += 1
        else:
            self.roots += 1
        self.open.append(len(self.stems))
        self.stems.append(stem)
        self.starts.append(self.here)
        return stem

    def _to_the_end(self, stem: Stem, indent: int) -> int:
        """Find where a statement ends: behind a bracket or text that goes on below; ``stop`` of the stem."""
        if _OPENING.search(self.text, stem.value, stem.stop) is None:
            return stem.stop
        value = self.text[stem.value : stem.stop]
        if '"""' in value:
            last = len(self.text)
        elif Pieces(self.text, stem.value, stem.stop, ()).read().open or value.count('"') % 2:
            last = self._limit(stem.stop, indent)
        else:
            return stem.stop
        read = Pieces(self.text, stem.value, last, ()).read()
        stop = self._reach(stem, value, read)
        if stop > stem.stop:
            end = self.text.find("\n", stop)
            stem.stop = len(self.text) if end < 0 else end
        return stem.stop

    def _reach(self, stem: Stem, value: str, read: Pieces) -> int:
        if '"""' in value:
            opening = stem.value + value.index('"""')
            closing = self.text.find('"""', opening + 3)
            return closing + 3 if closing >= 0 else stem.stop
        if read.closed >= 0:
            return read.closed
        if value.count('"') % 2:
            closing = self.text.find('"', stem.stop, read.end)
            return closing + 1 if closing >= 0 else stem.stop
        return read.end if read.open else stem.stop

    def _limit(self, stop: int, indent: int) -> int:
        """Where a bracket that is never closed ends: before a line that begins anew, indented no deeper."""
        position = self.text.find("\n", stop)
        while 0 <= position < len(self.text) - 1:
            begin = position + 1
            end = self.text.find("\n", begin)
            end = len(self.text) if end < 0 else end
            line = self.text[begin:end]
            if line.strip() and len(line) - len(line.lstrip(" \t")) <= indent and NEW_LINE.match(line):
                return position
            position = end
        return len(self.text)
