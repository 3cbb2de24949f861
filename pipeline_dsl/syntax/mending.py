"""Repairs for which the lines around a mistake have to be looked at: forgotten ends, levels, doubles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile

from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.repairs import Change, Repair, insertion

INDENT = " " * 4
"""What a block is indented by where nothing in the text says otherwise."""
MOST_LINES = 300
"""Lines that are looked at for one repair."""


def close_quote(text: str, start: int) -> tuple[Repair, ...]:
    """Close the quote that is opened at ``start`` and has no end on its line."""
    line = text.rfind("\n", 0, start) + 1
    end = _content_end(text, start)
    among_others = any(mark in text[line:start] for mark in ",[{")
    if among_others:
        end = min((p for mark in ",]}" if (p := text.find(mark, start, end)) > 0), default=end)
    certain = not among_others and end > start + 1 and _is_fresh(text, _next_line(text, start))
    return (insertion(end, '"', 'write `"` at the end of the text', safe=certain),)


def close_bracket(text: str, start: int, closing: str, *, alone: bool, stop: int) -> tuple[Repair, ...]:
    """Close the bracket that is opened at ``start``.

    Args:
        text: the whole text.
        start: of the opening bracket.
        closing: the sign that is missing.
        alone: whether no other bracket is open.
        stop: where the next statement begins.
    """
    lines = [start, *takewhile(lambda at: at < stop, _line_starts(text, start))]
    if len(lines) > MOST_LINES:
        return ()
    last = next((at for at in reversed(lines[1:]) if not t.IDLE.match(text, at)), start)
    end = _content_end(text, last)
    certain = alone and last == start and text[end - 1] not in ",:=[{"
    return (insertion(end, closing, f"write `{closing}` where it ends", safe=certain),)


def section_as_block(text: str, name: str, start: int, end: int) -> tuple[Repair, ...]:
    """Write a section as a key, with the lines under it indented."""
    under = list(takewhile(lambda at: not t.SECTION.match(text, at), _line_starts(text, end)))
    stop = _line_end(text, under[-1]) if under else end
    if len(under) == MOST_LINES or "." in name or '"""' in text[end:stop] or text.startswith("[[", start):
        return ()
    lines = [at for at in under if not t.BLANK.match(text, at)]
    changes = (Change(start, end, f"{name}:"), *(Change(at, at, INDENT) for at in lines))
    return (Repair(f"write `{name}:` and indent the lines under it", changes),)


def moved_block(text: str, line: int, width: int, wanted: int) -> tuple[Repair, ...]:
    """Move a line, and those right after it of the same width, from one width to another one."""
    changes = []
    for at in (line, *_line_starts(text, line)):
        gap = t.INDENT.match(text, at)
        found = gap.end() - at if gap else 0
        if t.BLANK.match(text, at):
            continue
        if found != width or '"""' in text[at : _line_end(text, at)]:
            break
        more = wanted - width
        sign = text[at] if found else " "
        changes.append(Change(at, at, sign * more) if more > 0 else Change(at, at - more, ""))
    where = f"indent it by {wanted}" if wanted else "indent it no deeper than the margin"
    return (Repair(where, tuple(changes)),) if changes else ()


def without_entry(text: str, start: int, end: int) -> tuple[Repair, ...]:
    """Take an entry out: its lines, or what stands between two commas of a bracket."""
    line, stop = text.rfind("\n", 0, start) + 1, _line_end(text, max(end - 1, start))
    message = f"remove this `{text[start:end].partition(':')[0].strip()}`" if end > start else "remove it"
    if not text[line:start].strip(" \t"):
        return (Repair(message, (Change(line, _next_line(text, stop - 1 if stop > line else line), ""),)),)
    comma = text[line:start].rstrip(" \t").endswith(",")
    if comma:
        return (Repair(message, (Change(text.rfind(",", line, start), end, ""),)),)
    return ()


def _content_end(text: str, start: int) -> int:
    """Where the line of ``start`` ends, comment and white space left aside."""
    stop = _line_end(text, start)
    comment = t.COMMENT.search(text, start, stop)
    stop = comment.start() if comment else stop
    return start + len(text[start:stop].rstrip(" \t\r"))


def _is_fresh(text: str, at: int) -> bool:
    """Whether nothing follows, or a line that begins a statement."""
    while at < len(text) and t.IDLE.match(text, at):
        at = _next_line(text, at)
    return at >= len(text) or t.NEW_LINE.match(text, at) is not None


def _line_starts(text: str, at: int) -> Iterator[int]:
    """Where the next lines begin, as many as are looked at."""
    return islice(_all_line_starts(text, at), MOST_LINES)


def _all_line_starts(text: str, at: int) -> Iterator[int]:
    at = _next_line(text, at)
    while at < len(text):
        yield at
        at = _next_line(text, at)


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
