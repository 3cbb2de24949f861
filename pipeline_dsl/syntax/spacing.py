"""What stands between the pieces of a statement: spaces, commas, line ends inside brackets."""

from __future__ import annotations

from dataclasses import replace

from pipeline_dsl.syntax.pieces import Piece

OPENING = frozenset({"LSQB", "LBRACE", "LPAR"})
CLOSING = frozenset({"RSQB", "RBRACE", "RPAR"})
COMMA = "_COMMA"
HEADER_END = "BAR_END"
"""The second bar of a header; the scanner calls both BAR."""
_TIGHT_AFTER = OPENING | {"BAR", "TABLE"}
_TIGHT_BEFORE = CLOSING | {COMMA, HEADER_END}


def space(before: Piece, piece: Piece) -> str:
    """Return what stands between two pieces of one line.

    Text that begins with ``#`` stands right after a comma, colon or bracket, or it would be a comment; what
    follows the key ``-`` stands right after it, or that would be the dash of an item.
    """
    if before.text == "-" and before.type == "KEY":
        return ""
    if before.type in _TIGHT_AFTER or piece.type in _TIGHT_BEFORE or piece.text.startswith("#"):
        return ""
    return "" if piece.text == ":" and piece.type == "SEP" else " "


def tidied(pieces: list[Piece]) -> list[Piece]:
    """Put commas right behind their values, and leave out those before a closing bracket on the same line.

    A value stands on the line of its key, and a pair of brackets with nothing in it on one line.
    """
    found: list[Piece] = []
    for piece in _with_commas_first(_with_header_ends(pieces)):
        before = found[-1] if found else None
        if before is not None and not piece.comments:
            if before.type == COMMA and piece.type in CLOSING and not piece.breaks:
                found.pop()
            elif before.type == "SEP" or (before.type in OPENING and piece.type in CLOSING):
                piece = replace(piece, breaks=0)  # noqa: PLW2901 - the same piece elsewhere
        found.append(piece)
    return found


def _with_commas_first(pieces: list[Piece]) -> list[Piece]:
    """Give the line ends and comments before a comma to what stands behind it.

    Text that begins with ``#`` takes none: its comma stays where it is.
    """
    found: list[Piece] = []
    comma: Piece | None = None
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        if comma is not None:
            piece = _behind(comma, piece)  # noqa: PLW2901 - the same piece elsewhere
            comma = None
        stays = following is not None and following.text.startswith("#")
        if piece.type == COMMA and (piece.breaks or piece.comments) and not stays:
            comma = piece
            piece = replace(piece, breaks=0, comments=())  # noqa: PLW2901 - as above
        found.append(piece)
    return found


def _behind(comma: Piece, piece: Piece) -> Piece:
    """Return the piece after a comma with what stood before the comma."""
    if not piece.comments:
        return replace(piece, comments=comma.comments, breaks=comma.breaks + piece.breaks)
    first, *others = piece.comments
    moved = replace(first, breaks=comma.breaks + first.breaks)
    return replace(piece, comments=(*comma.comments, moved, *others))


def _with_header_ends(pieces: list[Piece]) -> list[Piece]:
    bars = [place for place, piece in enumerate(pieces) if piece.type == "BAR"][1:]
    return [replace(p, type=HEADER_END) if place in bars else p for place, p in enumerate(pieces)]
