"""Exit codes: 0 fine, 2 recipe or usage, 3 data, 4 model or adapter, 5 machine, 6 guard, 7 locked."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline_dsl.diagnostics import Diagnostic

RECIPE = 2
_BY_PREFIX = (
    ("MR62", 7),
    ("MR45", 4),
    ("MR46", 4),
    ("MR47", 4),
    ("MR48", 6),
    ("MR49", 6),
    ("MR5", 3),
    ("MR6", 5),
)
"""The first prefix that fits decides; every other code is about the recipe."""


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """Return the exit code of findings: 2 if any error is about the recipe, else that of the first error."""
    codes = [exit_code_of(d.code) for d in diagnostics if d.is_error]
    if not codes:
        return 0
    return RECIPE if RECIPE in codes else codes[0]


def exit_code_of(code: str) -> int:
    """Return the exit code that belongs to a code."""
    return next((number for prefix, number in _BY_PREFIX if code.startswith(prefix)), RECIPE)
