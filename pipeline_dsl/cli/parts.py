"""Recipes that are checked together with those that extend them: what they leave to these is no mistake."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline_dsl.cli.prepare import Prepared
from pipeline_dsl.recipe.codes import Code


@dataclass(frozen=True, slots=True)
class Checked:
    """A recipe of a command line and what is left to say of it."""

    path: str
    prepared: Prepared
    extended_by: tuple[str, ...] = ()
    """The recipes of the same command line that extend it, where it has no phases of its own."""


def as_parts(recipes: Sequence[str], prepared: Sequence[Prepared]) -> list[Checked]:
    """Take the finding that a recipe has no phase (MR400) from those that others of the same line extend."""
    extending = [(path, _extended(path, one)) for path, one in zip(recipes, prepared, strict=True)]
    return [
        _checked(path, one, [other for other, files in extending if os.path.realpath(path) in files])
        for path, one in zip(recipes, prepared, strict=True)
    ]


def _checked(path: str, prepared: Prepared, by: Sequence[str]) -> Checked:
    kept = tuple(found for found in prepared.diagnostics if found.code != Code.NO_PHASE)
    if not by or len(kept) == len(prepared.diagnostics):
        return Checked(path, prepared)
    return Checked(path, replace(prepared, diagnostics=kept), tuple(dict.fromkeys(by)))


def _extended(path: str, prepared: Prepared) -> set[str]:
    """Real paths of the files that a recipe extends."""
    chain = prepared.loaded.chain
    names = [source.name for source in chain.sources] if chain else []
    return {os.path.realpath(name) for name in names} - {os.path.realpath(path)}
