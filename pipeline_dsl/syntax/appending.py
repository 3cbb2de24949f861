"""One more entry at the end of a mapping, written as the one before it is."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_dsl.diagnostics import Edit, Span
from pipeline_dsl.syntax.nodes import Mapping


def added_entry(mapping: Mapping, key: str, value: str, text: str, *, is_root: bool) -> Iterator[Edit]:
    """Return the changes that may add ``key`` with its value behind the last entry of a mapping."""
    source, entries = mapping.span.source, mapping.entries
    written = f"{key}{_sign(mapping, text)}{value}"
    if not is_root and (not entries or entries[0].key.span.start != mapping.span.start):
        place = entries[-1].span.end if entries else mapping.span.start + 1
        yield Edit(span=Span(source, place, place), text=f"{', ' if entries else ''}{written}")
        return
    line_feed = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", entries[-1].span.end) if entries else len(text) - 1
    place = end + 1 if end >= 0 else len(text)
    ended = text[:place].endswith("\n") or text[:place] in {"", "\ufeff"}
    for indent in _indents(mapping, text):
        line = f"{indent}{written}"
        yield Edit(
            span=Span(source, place, place), text=f"{line}{line_feed}" if ended else f"{line_feed}{line}"
        )


def _sign(mapping: Mapping, text: str) -> str:
    """The sign of the last entry, with its spaces."""
    if not mapping.entries:
        return ": "
    after = text[mapping.entries[-1].key.span.end :].lstrip(" \t")
    return " = " if after.startswith("=") else ": "


def _indents(mapping: Mapping, text: str) -> Iterator[str]:
    """The white space before an entry; below the first one of an item, it stands for the dash too."""
    if not mapping.entries:
        yield ""
        return
    start = mapping.entries[-1].key.span.start
    before = text[text.rfind("\n", 0, start) + 1 : start].removeprefix("\ufeff")
    rest = before.lstrip(" \t")
    lead = before[: len(before) - len(rest)]
    yield lead + " " * len(rest)
    if rest:
        yield f"{lead}\t"
