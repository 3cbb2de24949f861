"""A text without loss: its statements as pieces, each with the comments and line ends before it.

Every character of a text that can be read is part of a token, part of a comment, or white space between them,
so that tokens and comments are all there is to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lark import Token

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.syntax.findings import Findings
from pipeline_dsl.syntax.layout import Layout
from pipeline_dsl.syntax.parser import Parsed

STEP = 4
"""How much deeper a block stands than what it belongs to."""
DASH = len("- ")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: its text from ``#`` on, the line ends between it and what stands before, and its column."""

    text: str
    breaks: int
    column: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A token: its spelling, the comments before it, and how many line ends stand behind the last of them."""

    type: str
    text: str
    breaks: int
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """An open level of indentation: the column at which it stands, and the indentation that it will have."""

    column: int
    indent: int


@dataclass(slots=True)
class Statement:
    """The pieces of one statement, on which levels it begins and which are open behind it.

    The last statement of a text has one piece without a text, which holds the comments at the end.
    """

    levels: tuple[Level, ...]
    pieces: list[Piece] = field(default_factory=list)
    inner: tuple[Level, ...] = ()
    is_row: bool = False


def statements(parsed: Parsed) -> Iterator[Statement]:
    """Cut a text that was read without an error into its statements, and one for its end."""
    return _Cutter(parsed.source.text, parsed.comments).cut(Layout(Findings(parsed.source)).tokens())


class _Cutter:
    """Walks over the tokens and comments of a text."""

    def __init__(self, text: str, comments: tuple[Span, ...]) -> None:
        self.text = text
        self.comments = comments
        self.passed = 0
        self.end = 0
        self.levels = [Level(0, 0)]
        self.opening: list[int] = []
        """How much deeper the levels stand that were opened since the last piece."""

    def cut(self, tokens: Iterable[Token]) -> Iterator[Statement]:
        statement: Statement | None = None
        for token in tokens:
            match token.type:
                case "_NEWLINE":
                    if statement is not None:
                        statement.inner = tuple(self.levels)
                        yield statement
                    statement = None
                case "_INDENT":
                    self.opening.append(STEP if statement is None else DASH)
                case "_DEDENT":
                    self.levels.pop()
                case _:
                    statement = self._take(token, statement)
        root = tuple(self.levels[:1])
        yield Statement(root, [self._piece("", len(self.text), len(self.text))], root)

    def _take(self, token: Token, statement: Statement | None) -> Statement:
        start, end = token.start_pos or 0, token.end_pos or 0
        for step in self.opening:
            self.levels.append(Level(self._column(start), self.levels[-1].indent + step))
        self.opening.clear()
        statement = statement or Statement(tuple(self.levels), is_row=token.type == "ROW")
        if token.type != "ROW":
            statement.pieces.append(self._piece(token.type, start, end))
        return statement

    def _piece(self, type_: str, start: int, end: int) -> Piece:
        comments = []
        while self.passed < len(self.comments) and self.comments[self.passed].start < start:
            span = self.comments[self.passed]
            text = span.text.rstrip(" \t\r")
            comments.append(Comment(text, self._breaks(span.start), self._column(span.start)))
            self.passed += 1
            self.end = span.end
        piece = Piece(type_, self.text[start:end], self._breaks(start), tuple(comments))
        self.end = end
        return piece

    def _breaks(self, place: int) -> int:
        return self.text.count("\n", self.end, place)

    def _column(self, place: int) -> int:
        return place - self.text.rfind("\n", 0, place) - 1
