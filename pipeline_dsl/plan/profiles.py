"""What is wrong with a recipe under the profiles that were not chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.recipe.load import Loaded, redacted, under_profile
from pipeline_dsl.registry import Catalog
from pipeline_dsl.syntax.nodes import Mapping as Block

_OF_THE_TEXT = ("MR1", "MR2", "MR3", "MR4")
"""Codes of a recipe's own mistakes: its data and its machine may be another one's under another profile."""
_MOST_KEYS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherProfiles:
    """Looks at the profiles of a recipe that were not chosen."""

    loaded: Loaded
    catalog: Catalog
    environment: Mapping[str, str]
    sets: Sequence[str] = field(default=())
    device: str | None = None

    def findings(self, known: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Mistakes under them; those that are ``known`` from the chosen one are told once."""
        recipe = self.loaded.recipe
        if recipe is None or self.loaded.chain is None:
            return ()
        told = {(found.code, found.span) for found in known}
        more: list[Diagnostic] = []
        for profile in recipe.profiles:
            if profile == recipe.profile or _is_swollen(recipe.tree, profile):
                continue
            for found in self._under(profile):
                if (found.code, found.span) not in told and found.code.startswith(_OF_THE_TEXT):
                    told.add((found.code, found.span))
                    more.append(replace(found, reason=_told(profile, found.reason)))
        return tuple(more)

    def _under(self, profile: str) -> Iterator[Diagnostic]:
        chain, recipe = self.loaded.chain, self.loaded.recipe
        if chain is None or recipe is None:
            return
        loaded = under_profile(recipe.path, chain, profile, sets=self.sets, environment=self.environment)
        yield from loaded.diagnostics
        if loaded.recipe is not None:
            _, found = check_recipe(loaded.recipe, self.catalog, device=self.device, with_data=False)
            yield from (redacted(one, loaded.origins) for one in found)


def _is_swollen(tree: Block, profile: str) -> bool:
    """Whether a profile has far more keys than the language: these are told, the rest is not looked at."""
    profiles = tree.get("profiles")
    overlay = profiles.get(profile) if isinstance(profiles, Block) else None
    return isinstance(overlay, Block) and len(overlay.entries) > _MOST_KEYS


def _told(profile: str, reason: str | None) -> str:
    where = f"under the profile `{profile}`"
    return f"{where}; {reason}" if reason else where
