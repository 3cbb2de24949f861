"""A source's complaint about one of its files, at the option that names the file."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.choose import Chosen, told
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.recipe.suggest import nearest, renamed_file
from pipeline_dsl.syntax.nodes import Scalar

_MOST_FILES = 1000
"""Names of a folder that are looked through for one that is meant."""


def at_its_path(error: MedrecipeError, chosen: Chosen, use: Use) -> Diagnostic:
    """Return the finding, with the file beside it that may be meant where there is none of that name."""
    found = _option(error, chosen, use)
    if found is None:
        return told(error, chosen.span)
    path, span, written = found
    beside = [] if path.exists() else _files_beside(path)
    near = nearest(path.name, beside)
    advice = f"did you mean `{near}`? {error.help or ''}".rstrip() if near else error.help
    return Diagnostic(
        code=error.code,
        message=f"{error.message} ({error.place})",
        span=span,
        help=advice,
        fixes=renamed_file(span, written, beside) if near else (),
    )


def _option(error: MedrecipeError, chosen: Chosen, use: Use) -> tuple[Path, Span, str] | None:
    """The option that names the file: its path, its place, and as it is written."""
    for name in chosen.ref.paths:
        node = use.options.get(name)
        path = chosen.ref.options.get(name)
        if isinstance(node, Scalar) and isinstance(path, str) and _is_of(path, error.place):
            return Path(path), node.span, str(node.value)
    return None


def _is_of(path: str, place: str | None) -> bool:
    """Whether a place is that file, or a line of it."""
    return place is not None and (place == path or place.startswith(f"{path}:"))


def _files_beside(path: Path) -> list[str]:
    try:
        with os.scandir(path.parent) as entries:
            return sorted(entry.name for entry, _ in zip(entries, range(_MOST_FILES), strict=False))
    except (OSError, ValueError):
        return []
