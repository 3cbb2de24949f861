"""Ways out that findings carry, for one place or for a whole file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline_dsl.diagnostics import Diagnostic, Edit, Fix


@dataclass(frozen=True, slots=True)
class Offered:
    """A fix of a finding. ``preferred`` is what the editor's key for fixing does."""

    finding: Diagnostic
    fix: Fix
    preferred: bool


def fixes_at(found: Iterable[Diagnostic], real: str, start: int, end: int) -> tuple[Offered, ...]:
    """Return the fixes of findings that a selection of a file touches."""
    offered = []
    for finding in found:
        span = finding.span
        if span is None or os.path.realpath(span.source.name) != real or span.start > end or span.end < start:
            continue
        preferred = True
        for fix in finding.fixes:
            offered.append(Offered(finding, fix, preferred=fix.safe and preferred))
            preferred = preferred and not fix.safe
    return tuple(offered)


def safe_edits(found: Iterable[Diagnostic], real: str) -> tuple[Edit, ...]:
    """The edits of one safe fix a finding in a file, those left out that overlap earlier ones."""
    kept: list[Edit] = []
    for finding in found:
        fix = next((fix for fix in finding.fixes if fix.safe), None)
        edits = fix.edits if fix else ()
        here = all(os.path.realpath(edit.span.source.name) == real for edit in edits)
        fresh = tuple(edit for edit in edits if edit not in kept)
        if here and not any(_meet(edit, other) for edit in fresh for other in kept):
            kept += fresh
    return tuple(sorted(kept, key=lambda edit: edit.span.start))


def _meet(one: Edit, other: Edit) -> bool:
    """Whether two edits change the same text; two insertions at one place do."""
    a, b = one.span, other.span
    return (a.start < b.end and b.start < a.end) or a.start == b.start
