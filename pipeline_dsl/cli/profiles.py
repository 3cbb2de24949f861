"""What is wrong with a recipe under the profiles that were not chosen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from pipeline_dsl.cli.prepare import Choices, Prepared, in_text_order
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.recipe.load import redacted, under_profile
from pipeline_dsl.syntax.nodes import Mapping

_OF_THE_TEXT = ("MR1", "MR2", "MR3", "MR4")
"""Codes of a recipe's own mistakes: its data and its machine may be another one's under another profile."""
_MOST_KEYS = 100


def with_other_profiles(prepared: Prepared, choices: Choices) -> Prepared:
    """Return what was prepared with the mistakes under all other profiles, where none was asked for.

    Mistakes that are there under the chosen one, too, are told once.
    """
    loaded, catalog = prepared.loaded, prepared.catalog
    if choices.profile is not None or loaded.recipe is None or loaded.chain is None or catalog is None:
        return prepared
    known = {(found.code, found.span) for found in prepared.diagnostics}
    more: list[Diagnostic] = []
    for profile in loaded.recipe.profiles:
        if profile == loaded.recipe.profile or _is_swollen(loaded.recipe.tree, profile):
            continue
        for found in _under(profile, prepared, choices):
            if (found.code, found.span) not in known and found.code.startswith(_OF_THE_TEXT):
                known.add((found.code, found.span))
                more.append(replace(found, reason=_told(profile, found.reason)))
    if not more:
        return prepared
    together = in_text_order([*prepared.diagnostics, *more])
    plan = None if any(one.is_error for one in together) else prepared.plan
    return replace(prepared, diagnostics=together, plan=plan)


def _is_swollen(tree: Mapping, profile: str) -> bool:
    """Whether a profile has far more keys than the language: these are told, the rest is not looked at."""
    profiles = tree.get("profiles")
    overlay = profiles.get(profile) if isinstance(profiles, Mapping) else None
    return isinstance(overlay, Mapping) and len(overlay.entries) > _MOST_KEYS


def _under(profile: str, prepared: Prepared, choices: Choices) -> Iterator[Diagnostic]:
    chain, catalog = prepared.loaded.chain, prepared.catalog
    if chain is None or catalog is None or prepared.loaded.recipe is None:
        return
    path = prepared.loaded.recipe.path
    loaded = under_profile(path, chain, profile, sets=choices.sets, environment=os.environ)
    yield from loaded.diagnostics
    if loaded.recipe is not None:
        _, found = check_recipe(loaded.recipe, catalog, device=choices.device, with_data=False)
        yield from (redacted(one, loaded.origins) for one in found)


def _told(profile: str, reason: str | None) -> str:
    where = f"under the profile `{profile}`"
    return f"{where}; {reason}" if reason else where
