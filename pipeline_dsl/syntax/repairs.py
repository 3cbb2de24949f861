"""Fixes: changes of a text that remove a finding, and when one may be made unasked.

**The rule of safety.** ``check --fix`` makes a change only if what the author meant is certain, all others
are offered. Certain is:

1. *another spelling of the same*: one sign for ``==``, ``5`` for ``+5``, ``true`` for ``True`` where nothing
   but true or false can stand, ``8`` for ``"8"`` where only a number can, quotes around a number where only
   text can;
2. *the only name it can be a slip of*: one letter changed, left out, added or swapped with its neighbour, in
   a name of three letters or more, with the same digits, where no other name that could stand there is nearly
   as like it and, for a key, the right one is not in the block already (``recipe.suggest`` judges that);
3. *a sign that the notation needs in one place only*: the colon after a key, the quote or bracket at the end
   of a line that opened it, where the line says nothing else.

Never certain is what takes text away, moves lines to another level, or chooses between two meanings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline_dsl.diagnostics import Edit, Fix, Source, Span


class Change(NamedTuple):
    """What stands from ``start`` to ``end`` of a text becomes ``text``."""

    start: int
    end: int
    text: str


class Repair(NamedTuple):
    """A fix of a text whose source is known to who collects it."""

    message: str
    changes: tuple[Change, ...]
    safe: bool = False

    def of(self, source: Source) -> Fix:
        """The fix in a source."""
        edits = tuple(Edit(span=Span(source, c.start, c.end), text=c.text) for c in self.changes)
        return Fix(message=self.message, edits=edits, safe=self.safe)


def insertion(place: int, text: str, message: str, *, safe: bool = False) -> Repair:
    """Write something at a place."""
    return Repair(message, (Change(place, place, text),), safe)


def replacement(start: int, end: int, text: str, *, safe: bool = False, message: str = "") -> Repair:
    """Write something instead of what stands there."""
    return Repair(message or f"write `{text}`", (Change(start, end, text),), safe)


def around(start: int, end: int, mark: str, message: str, *, safe: bool = False) -> Repair:
    """Put something between two marks: quotes, brackets."""
    return Repair(message, (Change(start, start, mark[0]), Change(end, end, mark[-1])), safe)


def write(span: Span, text: str, *, safe: bool = False, message: str = "") -> Fix:
    """Write something instead of a span."""
    return replacement(span.start, span.end, text, safe=safe, message=message).of(span.source)


def quote_around(span: Span, *, safe: bool = False) -> Fix:
    """Put a span in quotes; nothing of it is copied."""
    return around(span.start, span.end, '""', f'write "{span.text}"', safe=safe).of(span.source)


def fixed(text: str, fixes: Iterable[Fix]) -> tuple[str, tuple[Fix, ...]]:
    """Return a text with fixes made, and those that were: one that touches an earlier one waits for its turn.

    All are of this text; every character outside their edits stays.
    """
    made: list[Fix] = []
    edits: list[Edit] = []
    for fix in fixes:
        if not _touches(fix.edits, edits):
            made.append(fix)
            edits += fix.edits
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end), reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text, tuple(made)


def _touches(new: Iterable[Edit], old: Iterable[Edit]) -> bool:
    return any(a.span.start <= b.span.end and b.span.start <= a.span.end for a in new for b in old)
