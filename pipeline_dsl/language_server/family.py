"""The recipes that a file belongs to: those beside and above it that extend it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline_dsl.recipe.extends import read_chain
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.load import Loaded

_MOST_FILES = 200
"""Recipes that are looked at in search of one that extends a file."""
_MOST_BYTES = 1 << 20
_NEEDED = ("model", "phases")
"""What a recipe has and a file that is only extended may lack."""


def dependents(path: str, root: str | None, unsaved: Mapping[str, str]) -> tuple[str, ...]:
    """Paths of the recipes whose chain holds a file, in its folder and above it up to ``root``.

    Those that are open come first, saved or not.
    """
    real = os.path.realpath(path)
    name = Path(path).name
    found, seen = [], {real}
    opened = [Path(other) for other in unsaved if Path(real).is_relative_to(Path(other).parent)]
    for other in (*opened, *_recipes(Path(path).parent, root)):
        where = os.path.realpath(other)
        if where in seen or not _may_extend(other, name, unsaved.get(where)):
            continue
        seen.add(where)
        chain = read_chain(str(other), Findings(), given=unsaved)
        if chain and any(os.path.realpath(source.name) == real for source in chain.sources):
            found.append(str(other))
    return tuple(found)


def is_whole(loaded: Loaded) -> bool:
    """Whether a file with what it extends has all that a recipe needs."""
    tree = loaded.origins.tree
    return tree is not None and all(tree.get(key) is not None for key in _NEEDED)


def _recipes(folder: Path, root: str | None) -> Iterator[Path]:
    """Recipes of a folder and, inside of ``root``, of those above: only these can extend what lies in it."""
    left = _MOST_FILES
    top = Path(root) if root else folder
    for place in (folder, *folder.parents):
        if not place.is_relative_to(top):
            return
        with suppress(OSError):
            for found in sorted(place.glob("*.sdn")):
                left -= 1
                if left < 0:
                    return
                yield found


def _may_extend(path: Path, name: str, text: str | None) -> bool:
    """Whether a recipe speaks of ``extends`` at all, for reading it whole takes longer."""
    if text is None:
        try:
            text = path.read_text("utf-8") if path.stat().st_size <= _MOST_BYTES else ""
        except (OSError, UnicodeDecodeError):
            return False
    return "extends" in text and (name in text or not name.isascii())
