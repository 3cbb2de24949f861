"""Everything that ``medrecipe check`` finds in a recipe, with the texts that an editor has open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline_dsl.diagnostics import Diagnostic, Severity
from pipeline_dsl.language_server.catalogs import NOT_LOADED, Catalogs
from pipeline_dsl.language_server.vocabulary import Vocabulary
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.profiles import OtherProfiles
from pipeline_dsl.recipe.load import Loaded, load_recipe, redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One recipe, read and checked. A value: a newer text gets a new one."""

    path: str
    """Of the recipe that was checked, which may extend the one that is looked at."""
    root: str
    """Its real path."""
    texts: Mapping[str, str]
    """The open texts that it was made of, by real path."""
    files: frozenset[str]
    """Real paths of all files that it was made of."""
    loaded: Loaded
    vocabulary: Vocabulary
    plan: Plan | None
    """None where an error stands in its way."""
    diagnostics: tuple[Diagnostic, ...]


def analyse(
    path: str, unsaved: Mapping[str, str], catalogs: Catalogs, environment: Mapping[str, str]
) -> Analysis:
    """Read and check a recipe as ``medrecipe check`` does, texts of ``unsaved`` in place of files."""
    loaded = load_recipe(path, environment=environment, texts=unsaved)
    catalog = catalogs.of(loaded.recipe)
    plan, found = None, loaded.diagnostics
    if loaded.recipe is not None:
        plan, more = check_recipe(loaded.recipe, catalog)
        found = (*found, *(redacted(d, loaded.origins) for d in more))
        others = OtherProfiles(loaded=loaded, catalog=catalog, environment=environment)
        found = (*found, *others.findings(found))
    found = tuple(_without_alarm(one) for one in found)
    files = frozenset({os.path.realpath(path), *(os.path.realpath(s.name) for s in loaded.sources)})
    return Analysis(
        path=path,
        root=os.path.realpath(path),
        texts={real: text for real, text in unsaved.items() if real in files},
        files=files,
        loaded=loaded,
        vocabulary=Vocabulary(catalog),
        plan=None if any(d.is_error for d in found) else plan,
        diagnostics=found,
    )


def _without_alarm(found: Diagnostic) -> Diagnostic:
    """That a recipe's own plugin is not loaded here is no mistake of the recipe."""
    if NOT_LOADED not in found.message:
        return found
    return replace(found, severity=Severity.WARNING, help="`medrecipe check` loads it")
