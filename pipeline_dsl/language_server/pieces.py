"""The inside of a value read leniently: its words, each with the path at which it stands.

For text that may not parse at the moment. Brackets that are never closed and quotes that never end are taken
as they are; what ``syntax`` would refuse is read as far as it makes sense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline_dsl.recipe.paths import Steps
from pipeline_dsl.syntax.names import normal

_TOKEN = re.compile(
    r"""(?P<text>"{3}(?:[^"\\]|\\.|"(?!""))*(?:"{3}|\Z)|"(?:[^"\\]|\\.)*"|"(?:[^"\\\n]|\\.)*)"""
    r"|(?P<comment>(?<!\S)\#[^\n]*)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)|(?P<gap>\s+)"
    r"|(?P<mark>[:=])|(?P<word>(?:\$\{[^{}\n]*\}?|[^\s,\[\]{}\":=]|\")+)",
    re.DOTALL,
)
_OPENING = {"[": "]", "{": "}"}


class Role(StrEnum):
    """What a word is."""

    KEY = "key"
    VALUE = "value"
    COLUMN = "column"
    """A name in the header of a table."""
    NOTHING = "nothing"
    """In a comment, or where nothing of the language stands."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One word. ``path`` is that of the value, of a key that of the block in which it stands."""

    role: Role
    path: Steps
    start: int
    end: int
    text: str

    @property
    def name(self) -> str:
        """What it says, without quotes, in NFC."""
        return normal(self.text.strip('"'))


@dataclass(slots=True)
class _Frame:
    """One bracket that is open, or the statement itself."""

    path: Steps
    closer: str = ""
    columns: tuple[str, ...] | None = None
    index: int = 0
    key: str | None = None
    start: int = -1
    end: int = -1
    """Of the word in progress; -1 for none."""

    @property
    def at_key(self) -> bool:
        return self.closer == "}" and self.key is None

    def inner(self) -> Steps:
        """The path of the value that stands here."""
        if self.closer == "}":
            return (*self.path, self.key or "")
        if self.closer == "]":
            return (*self.path, self.index)
        if self.columns is not None:
            return (*self.path, self.columns[self.index] if self.index < len(self.columns) else "")
        return self.path


@dataclass(slots=True)
class Pieces:
    """Reads one value from ``start`` to ``end``; what it found stands in its fields afterwards."""

    text: str
    start: int
    end: int
    path: Steps
    columns: tuple[str, ...] | None = None
    found: list[Piece] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    closed: int = -1
    """Where the first bracket of the value was closed; -1 if it was not."""
    in_comment: bool = False
    in_text: int = -1
    """Where the text in quotes that is still open at the end began."""

    def read(self) -> Pieces:
        """Read it all; return itself."""
        self.frames = [_Frame(self.path, columns=self.columns)]
        position = self.start
        while position < self.end:
            match = _TOKEN.match(self.text, position, self.end)
            if match is None or match.end() == position:
                break
            self._take(str(match.lastgroup), match[0], position, match.end())
            position = match.end()
        last = self.frames[-1]
        self._flush(last, keep=True)
        return self

    @property
    def open(self) -> bool:
        """Whether a bracket is open at the end."""
        return len(self.frames) > 1

    def _take(self, kind: str, word: str, start: int, end: int) -> None:
        frame = self.frames[-1]
        self.in_comment = kind == "comment" and end == self.end
        if kind == "open":
            self.frames.append(_Frame(frame.inner(), _OPENING[word]))
            frame.start = -1
        elif kind == "close":
            self._flush(frame)
            self._close(word, end)
        elif kind == "comma":
            if frame.closer or frame.columns is not None:
                self._flush(frame)
                frame.index, frame.key = frame.index + 1, None
            else:
                self._extend(frame, start, end)
        elif kind == "mark" and frame.at_key:
            self._flush(frame)
            frame.key = self.found[-1].name if self.found and self.found[-1].role is Role.KEY else ""
        elif kind not in {"gap", "comment"}:
            self._extend(frame, start, end)
            if kind == "text" and end == self.end and not _ended(word):
                self.in_text = start

    def _extend(self, frame: _Frame, start: int, end: int) -> None:
        frame.start = start if frame.start < 0 else frame.start
        frame.end = end

    def _flush(self, frame: _Frame, *, keep: bool = False) -> None:
        """Note the word in progress."""
        if frame.start >= 0:
            role, path = (Role.KEY, frame.path) if frame.at_key else (Role.VALUE, frame.inner())
            self.found.append(Piece(role, path, frame.start, frame.end, self.text[frame.start : frame.end]))
        if not keep:
            frame.start = -1

    def _close(self, word: str, end: int) -> None:
        depth = next((i for i in range(len(self.frames) - 1, 0, -1) if self.frames[i].closer == word), 0)
        if depth:
            del self.frames[depth:]
            if depth == 1 and self.closed < 0:
                self.closed = end


def _ended(word: str) -> bool:
    """Whether a text in quotes has its closing quotes."""
    if word.startswith('"""'):
        return len(word) >= 6 and word.endswith('"""')  # noqa: PLR2004 - both fences
    return len(word) > 1 and word.endswith('"') and not re.search(r'(?<!\\)(?:\\\\)*\\"\Z', word)
