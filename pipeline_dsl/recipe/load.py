"""From a path to a Recipe, everything that is wrong with it collected on the way.

Layers, the weakest first: the files of ``extends``, the recipe's own file, the profile, ``--set``. Then
``like`` copies blocks, so that what is laid over a block reaches those that are like it, and last
``${...}`` is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping as Variables
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from pipeline_dsl.diagnostics import Diagnostic, Fix, Related, Source
from pipeline_dsl.recipe.bind import Circumstances, bind
from pipeline_dsl.recipe.extends import Chain, read_chain
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.interpolation import interpolate
from pipeline_dsl.recipe.likes import apply_likes
from pipeline_dsl.recipe.merging import merge, without
from pipeline_dsl.recipe.model import Recipe
from pipeline_dsl.recipe.origins import Origins, Why, explain
from pipeline_dsl.recipe.overrides import apply_sets
from pipeline_dsl.recipe.profiles import READ_EARLY, apply_profile
from pipeline_dsl.syntax.nodes import Mapping, Value

_NO_VARIABLES: Final[Variables[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A recipe, or what kept it from being one."""

    recipe: Recipe | None
    diagnostics: tuple[Diagnostic, ...]
    """In the order in which they were found; ``recipe`` may be there although some are errors."""
    sources: tuple[Source, ...]
    """Every text that was read, secrets blotted out."""
    origins: Origins
    chain: Chain | None = None
    """The texts as they were read."""


def load_recipe(
    path: str,
    *,
    profile: str | None = None,
    sets: Sequence[str] = (),
    environment: Variables[str, str] = _NO_VARIABLES,
    source: Source | None = None,
    texts: Variables[str, str] = _NO_VARIABLES,
) -> Loaded:
    """Read a recipe (``-`` for standard input) with all that it extends, and check it without any plugin.

    With a ``source`` its text is taken, as if it lay at the path already. ``texts`` stand in the same way in
    place of files, the recipe's and those that it extends, by their real paths.
    """
    findings = Findings()
    chain = read_chain(path, findings, source, texts)
    if chain is None:
        return Loaded(recipe=None, diagnostics=findings.all(), sources=(), origins=Origins())
    return _resolved(path, chain, findings, profile, sets, environment)


def under_profile(
    path: str,
    chain: Chain,
    profile: str,
    *,
    sets: Sequence[str] = (),
    environment: Variables[str, str] = _NO_VARIABLES,
) -> Loaded:
    """Read texts that were read already under another profile; what was told of them is not told again."""
    findings = Findings()
    findings.broken += chain.broken
    return _resolved(path, chain, findings, profile, sets, environment)


def _resolved(
    path: str,
    chain: Chain,
    findings: Findings,
    profile: str | None,
    sets: Sequence[str],
    environment: Variables[str, str],
) -> Loaded:
    """Lay everything over the texts and make a recipe of what comes of it."""
    tree = _stacked([layer.node for layer in chain.layers if isinstance(layer.node, Mapping)])
    chosen = apply_profile(tree, profile, findings)
    overridden = apply_sets(chosen.tree, tuple(sets), findings)
    copied = apply_likes(overridden.tree, findings)
    filled = interpolate(copied.tree, environment, findings)
    origins = Origins(
        tree=filled.tree,
        layers=(*copied.layers, *chain.layers, *chosen.layers, *overridden.layers),
        hidden=filled.hidden,
        secrets=filled.secrets,
    )
    broken = (*findings.broken, *filled.broken)
    around = Circumstances(path=path, profile=chosen.name, profiles=chosen.names, broken=broken)
    bound = Findings(broken)
    recipe = bind(filled.tree, around, bound)
    findings.extend(tuple(d for d in bound.all() if not (d.span and d.span.overlaps(broken))))
    found = findings.all() if chain.whole else findings.present()
    return Loaded(
        recipe=recipe,
        diagnostics=tuple(redacted(d, origins) for d in found),
        sources=(*chain.sources, *chosen.sources, *overridden.sources),
        origins=origins,
        chain=chain,
    )


def why(loaded: Loaded, path: str) -> Why:
    """Say where the value at a dotted path comes from: every layer that set it, the last one wins."""
    return explain(loaded.origins, path)


def resolved(loaded: Loaded) -> dict[str, Value]:
    """Return the recipe as plain values, everything applied; environment values show as ``***``."""
    origins = loaded.origins
    if origins.tree is None:
        return {}
    tree = without(origins.tree, *READ_EARLY)
    return {e.key.name: origins.value((e.key.name,), e.value) for e in tree}


def _stacked(trees: list[Mapping]) -> Mapping:
    tree, *others = trees
    for over in others:
        tree = merge(tree, over)
    return tree


def _tells(fix: Fix, origins: Origins) -> bool:
    """Whether a fix would write the value of an environment variable."""
    return any(origins.redact(text) != text for text in (fix.message, *(e.text for e in fix.edits)))


def redacted(found: Diagnostic, origins: Origins) -> Diagnostic:
    """Return a finding without the values of environment variables."""
    if not origins.secrets:
        return found
    return replace(
        found,
        message=origins.redact(found.message),
        reason=origins.redact(found.reason) if found.reason else None,
        help=origins.redact(found.help) if found.help else None,
        related=tuple(Related(message=origins.redact(r.message), span=r.span) for r in found.related),
        fixes=tuple(fix for fix in found.fixes if not _tells(fix, origins)),
    )
