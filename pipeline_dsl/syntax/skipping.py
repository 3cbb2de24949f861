"""Where to go on after a statement that could not be read."""

from __future__ import annotations

import re

from pipeline_dsl.syntax import terminals as t

PIECE = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"""|"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?<![^ \t\n])#[^\n]*+|[\[\]{}]|\n',
    re.DOTALL,
)
CLOSING = re.compile(r"[ \t]*[\]})]")
MAX_FAILURES = 8


class Skipper:
    """Finds the end of damaged statements of one text; gives up looking for brackets after some failures."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.failures = 0

    def next_line(self, position: int) -> int:
        """The start of the line after ``position``."""
        end = self.text.find("\n", position)
        return len(self.text) if end < 0 else end + 1

    def after_brackets(self, position: int, depth: int, indent: int) -> int:
        """The start of the first line after ``depth`` open brackets; ``indent`` is that of the statement."""
        end = self._closed(position, depth, indent) if self.failures < MAX_FAILURES else None
        if end is not None:
            return self.next_line(end)
        self.failures += 1
        return self.after_block(position, indent)

    def closes(self, position: int, depth: int, indent: int) -> bool:
        """Whether ``depth`` open brackets are closed before the next statement; yes after many failures."""
        if self.failures >= MAX_FAILURES:
            return True
        closed = self._closed(position, depth, indent) is not None
        self.failures += not closed
        return closed

    def after_block(self, position: int, indent: int) -> int:
        """The start of the first later line that is indented no deeper than ``indent``."""
        position = self.next_line(position)
        while position < len(self.text):
            gap = t.INDENT.match(self.text, position)
            width = gap.end() - position if gap else 0
            if width <= indent and not t.BLANK.match(self.text, position):
                closing = CLOSING.match(self.text, position)
                return self.next_line(position) if closing else position
            position = self.next_line(position)
        return position

    def next_entry(self, position: int, indent: int) -> int:
        """The start of the first later line that looks like an entry, indented no deeper than ``indent``."""
        position = self.next_line(position)
        while position < len(self.text):
            gap = t.INDENT.match(self.text, position)
            if gap and gap.end() - position <= indent and t.KEY_LINE.match(self.text, position):
                return position
            position = self.next_line(position)
        return position

    def _closed(self, position: int, depth: int, indent: int) -> int | None:
        for piece in PIECE.finditer(self.text, position):
            char = piece[0]
            if char in "[{":
                depth += 1
            elif char in "]}":
                depth -= 1
                if depth <= 0:
                    return piece.end()
            elif char == "\n":
                gap = t.KEY_LINE.match(self.text, piece.end())
                width = t.INDENT.match(self.text, piece.end())
                if gap and width and width.end() - piece.end() <= indent:
                    return None
        return None
