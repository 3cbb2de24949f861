"""``formatted``: a text in its normal form, with the same values, spellings and comments.

There are no options. Of what its author wrote it keeps every word, the sign between key and value, the order,
line ends inside brackets and up to two blank lines; it decides white space, and where a comma stands.
"""

from __future__ import annotations

from pipeline_dsl.syntax.aligning import Line, drawn
from pipeline_dsl.syntax.parser import Parsed
from pipeline_dsl.syntax.pieces import DASH, STEP, Comment, Level, Piece, Statement, statements
from pipeline_dsl.syntax.reindenting import reindented
from pipeline_dsl.syntax.spacing import CLOSING, COMMA, HEADER_END, OPENING, space, tidied

MOST_BLANKS = 2
HOLDERS = frozenset({"SEP", "DASH", HEADER_END, "BAR"})
"""How a statement ends that may have a block."""


def formatted(parsed: Parsed) -> str:
    """Write a text in its normal form; it reads as the same values, and its normal form is itself.

    Raises ValueError where the text has an error.
    """
    if not parsed.ok:
        message = "a text with errors has no normal form"
        raise ValueError(message)
    lines: list[Line] = []
    before = Statement((Level(0, 0),), inner=(Level(0, 0),))
    tables = 0
    for statement in statements(parsed):
        _put_comments(lines, before, statement)
        tables += not statement.is_row
        if statement.pieces[0].type:
            lines += _Writer(statement, tables, first=not lines).lines
        before = statement
    return drawn(lines)


def _put_comments(lines: list[Line], before: Statement, statement: Statement) -> None:
    """Put the comments between two statements beside the first, or on lines of their own."""
    for comment in statement.pieces[0].comments:
        if lines and not comment.breaks:
            lines[-1].comment = comment.text
        else:
            blanks = _blanks(comment.breaks) if lines else 0
            lines.append(Line(_indent_of(comment, before, statement), comment.text, blanks))


def _indent_of(comment: Comment, before: Statement, statement: Statement) -> int:
    """The indentation of a comment on its own line: that of the level that its column is nearest to."""
    now = statement.levels
    if len(now) > len(before.inner) or comment.column <= now[-1].column:
        return now[-1].indent
    levels = list(before.inner[len(now) - 1 :])
    if before.pieces and before.pieces[-1].type in HOLDERS:
        last = before.inner[-1]
        levels.append(Level(last.column + 1, last.indent + STEP))
    return next(level.indent for level in reversed(levels) if level.column <= comment.column)


def _blanks(breaks: int) -> int:
    return min(max(breaks - 1, 0), MOST_BLANKS)


class _Writer:
    """Writes the lines of one statement; ``line`` is the one that is being written."""

    def __init__(self, statement: Statement, table: int, *, first: bool) -> None:
        pieces = tidied(statement.pieces)
        indent = statement.levels[-1].indent
        self.base = indent + (DASH if pieces[0].type == "DASH" else 0)
        """The indentation from which brackets and texts of the line are counted."""
        self.line = Line(indent, blanks=0 if first else _blanks(pieces[0].breaks))
        self.lines = [self.line]
        self.open: list[int] = []
        """For each open bracket, the base of the line where it opens."""
        for place, piece in enumerate(pieces):
            self._put(pieces, place, piece)
        if pieces[-1].type == "EMPTY":
            self.line.text = self.line.text.rstrip(" ")
        if statement.is_row and len(self.lines) == 1 and "\n" not in self.line.text:
            self.line.row, self.line.table = _row(pieces), table

    def _put(self, pieces: list[Piece], place: int, piece: Piece) -> None:
        before = pieces[place - 1] if place else None
        if before is not None and (piece.breaks or piece.comments):
            self._break(before, piece, _closing(pieces, place))
        elif before is not None:
            self.line.text += space(before, piece)
        self.line.text += reindented(piece.text, self.base + STEP)
        if piece.type in OPENING:
            self.open.append(self.base)
        elif piece.type in CLOSING and self.open:
            self.open.pop()

    def _break(self, before: Piece, piece: Piece, closing: int) -> None:
        """Begin a new line inside brackets, after the comments before it."""
        inside = self.open[-1] + STEP
        opened = before.type in OPENING
        for comment in piece.comments:
            if comment.breaks:
                self._begin(inside, 0 if opened else _blanks(comment.breaks))
                self.line.text = comment.text
                opened = False
            else:
                self.line.comment = comment.text
        self.base = self.open[-closing] if closing else inside
        self._begin(self.base, 0 if opened or closing else _blanks(piece.breaks))

    def _begin(self, indent: int, blanks: int) -> None:
        self.line = Line(indent, blanks=blanks)
        self.lines.append(self.line)


def _closing(pieces: list[Piece], place: int) -> int:
    """How many closing brackets stand in a row from a place on."""
    count = 0
    for piece in pieces[place:]:
        if piece.type not in CLOSING or (count and (piece.breaks or piece.comments)):
            break
        count += 1
    return count


def _row(pieces: list[Piece]) -> tuple[str, ...]:
    """The cells of a row on one line, as they are written."""
    cells, depth = [""], 0
    before: Piece | None = None
    for piece in pieces:
        if piece.type == COMMA and not depth:
            cells.append("")
            before = None
            continue
        depth += (piece.type in OPENING) - (piece.type in CLOSING)
        cells[-1] += (space(before, piece) if before else "") + piece.text
        before = piece
    return tuple(cells)
