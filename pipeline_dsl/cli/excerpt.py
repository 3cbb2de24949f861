"""A source line with marks that sit right under the text they are about, also under wide letters and tabs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from pipeline_dsl.cli.terminal import Paint, cells
from pipeline_dsl.diagnostics import Span
from pipeline_dsl.syntax.names import INVISIBLE

_TAB = 4
_WIDEST = 120
"""Cells of a source line that are shown, or fewer on a terminal; a longer line is cut around the place."""
_BESIDE = len(" | …") + 1
"""Cells of a line beside its number and its text."""
_BEFORE = 3
"""One part in so many of a line that is cut is kept in front of the marked place."""


def excerpt(
    span: Span,
    *,
    margin: int,
    mark: str,
    paint: Paint,
    colour: Callable[[str], str],
    label: str = "",
    arrow: str = "-->",
    width: int | None = None,
) -> list[str]:
    """Return the lines that show a span: its place, its source line and the marks under it.

    Args:
        span: what to show; of several lines, the first.
        margin: the width of the line number column.
        mark: the letter drawn under each marked cell.
        paint: colours for the margin.
        colour: the colour of the marks.
        label: what is said after the marks.
        arrow: what stands before the place.
        width: cells of the terminal, if it is one.
    """
    space = " " * margin
    place = f"{space}{paint.blue(arrow)} {inert(span.source.name)}:{span.line}:{span.column}"
    before, marked, after = _parts(span)
    widest = min(_WIDEST, width - margin - _BESIDE) if width else _WIDEST
    before, marked, after = _cut(before, marked, after, widest)
    bar = paint.blue("|")
    marks = " " * cells(before) + colour(mark * max(1, cells(marked)) + (f" {inert(label)}" if label else ""))
    number = paint.blue(str(span.line).rjust(margin))
    text = f"{before}{marked}{after}".rstrip()
    return [place, f"{space} {bar}", f"{number} {bar} {text}".rstrip(), f"{space} {bar} {marks}"]


def inert(text: str) -> str:
    """Return a text of one line as it may be shown: what a terminal would obey, or not show, as U+FFFD."""
    return _visible(text, 0)


def _parts(span: Span) -> tuple[str, str, str]:
    """The text before, in and after a span on its first line, tabs and control characters made visible."""
    line, column = span.source.position(span.start)
    text = span.source.line(line)
    start = min(column - 1, len(text))
    end = min(len(text), start + span.end - span.start)
    before = _visible(text[:start], 0)
    marked = _visible(text[start:end], cells(before))
    return before, marked, _visible(text[end:], cells(before + marked))


def _visible(text: str, column: int) -> str:
    """Text as it may be drawn from a column on: tabs as spaces, what a terminal would obey as U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    drawn: list[str] = []
    for character in text:
        shown = _shown(character, column)
        drawn.append(shown)
        column += cells(shown)
    return "".join(drawn)


def _shown(character: str, column: int) -> str:
    if character == "\t":
        return " " * (_TAB - column % _TAB)
    unseen = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or INVISIBLE.match(character)
    return "\N{REPLACEMENT CHARACTER}" if unseen else character


def _cut(before: str, marked: str, after: str, widest: int) -> tuple[str, str, str]:
    """Cut a long line around the marked text, with an ellipsis where something is left out."""
    if cells(before) + cells(marked) + cells(after) <= widest:
        return before, marked, after
    if cells(before) > widest // _BEFORE:
        before = "…" + _last(before, widest // _BEFORE)
    room = widest - cells(before)
    if cells(marked) > room:
        return before, _first(marked, room) + "…", ""
    room -= cells(marked)
    return before, marked, after if cells(after) <= room else _first(after, room) + "…"


def _first(text: str, width: int) -> str:
    kept: list[str] = []
    for character in text:
        width -= cells(character)
        if width < 0:
            break
        kept.append(character)
    return "".join(kept)


def _last(text: str, width: int) -> str:
    return _first(text[::-1], width)[::-1]
