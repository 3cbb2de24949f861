"""Offsets in a text and positions as the protocol has them: lines, and units of the encoding agreed on."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from lsprotocol.types import Position, PositionEncodingKind, Range

from pipeline_dsl.diagnostics import Span

_LINE_END = re.compile(r"\r\n|\n|\r")
_UNIT = {"utf-16": ("utf-16-le", 2), "utf-8": ("utf-8", 1)}
"""Codec of an encoding, and bytes of its unit; UTF-32 counts code points as we do."""


@dataclass(frozen=True, slots=True)
class Positions:
    """One text with its line starts. Places outside of it are taken as the nearest inside."""

    text: str
    encoding: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str, encoding: str | PositionEncodingKind) -> Positions:
        """Index a text: lines end at LF, CRLF and CR, as the protocol says."""
        starts = (0, *(match.end() for match in _LINE_END.finditer(text)))
        return cls(text, str(getattr(encoding, "value", encoding)), starts)

    def offset(self, position: Position) -> int:
        """The offset of a position; one inside a character is before it."""
        if position.line >= len(self.starts):
            return len(self.text)
        start, end = self.line_range(position.line)
        line = self.text[start:end]
        if self.encoding not in _UNIT or line.isascii():
            return start + min(position.character, len(line))
        codec, size = _UNIT[self.encoding]
        units = line.encode(codec, "surrogatepass")[: position.character * size]
        return start + len(units.decode(codec, "ignore"))

    def position(self, offset: int) -> Position:
        """The position of an offset."""
        return Position(*self.place(offset))

    def place(self, offset: int) -> tuple[int, int]:
        """The line and the column of an offset."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self.starts, offset) - 1
        before = self.text[self.starts[line] : offset]
        if self.encoding not in _UNIT or before.isascii():
            return line, len(before)
        codec, size = _UNIT[self.encoding]
        return line, len(before.encode(codec, "surrogatepass")) // size

    def range(self, start: int, end: int) -> Range:
        """The range between two offsets."""
        return Range(self.position(start), self.position(end))

    def span(self, span: Span) -> Range:
        """The range of a span of this text."""
        return self.range(span.start, span.end)

    def whole(self) -> Range:
        """The range of the whole text."""
        return self.range(0, len(self.text))

    def line_range(self, line: int) -> tuple[int, int]:
        """Offsets of a line's start and of its end, the line end left out."""
        start = self.starts[line]
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        return start, start + len(self.text[start:end].rstrip("\r\n"))
