"""From a command line to a checked plan: what ``check``, ``plan`` and ``run`` have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import click

from pipeline_dsl.cli.exits import exit_code
from pipeline_dsl.cli.render import as_text
from pipeline_dsl.cli.terminal import Paint, room
from pipeline_dsl.diagnostics import Diagnostic, Source
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.recipe.load import Loaded, load_recipe, redacted
from pipeline_dsl.registry import Catalog, build_catalog

_NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a command line says about how to read a recipe."""

    profile: str | None = None
    sets: tuple[str, ...] = ()
    device: str | None = None
    max_samples: int | None = None
    plugins: tuple[str, ...] = ()
    no_plugins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A recipe that was read and checked. ``plan`` is None where an error stands in its way."""

    loaded: Loaded
    catalog: Catalog | None
    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def exit_code(self) -> int:
        """0, or what the findings amount to."""
        return exit_code(self.diagnostics)

    @property
    def text(self) -> str:
        """The recipe's own text, as it was read."""
        return self.loaded.sources[0].text


def prepare(
    path: str, choices: Choices, source: Source | None = None, texts: Mapping[str, str] = _NO_TEXTS
) -> Prepared:
    """Read a recipe, or take the text that will lie there, load the plugins and check both.

    ``texts`` stand in place of files, by their real paths.
    """
    loaded = load_recipe(
        path, profile=choices.profile, sets=choices.sets, environment=os.environ, source=source, texts=texts
    )
    if loaded.recipe is None:
        return Prepared(loaded=loaded, catalog=None, plan=None, diagnostics=in_text_order(loaded.diagnostics))
    catalog = catalog_for([p.name for p in loaded.recipe.plugins], choices)
    plan, found = check_recipe(loaded.recipe, catalog, device=choices.device, max_samples=choices.max_samples)
    shown = (redacted(finding, loaded.origins) for finding in found)
    diagnostics = in_text_order((*loaded.diagnostics, *shown))
    if any(d.is_error for d in diagnostics):
        plan = None
    return Prepared(loaded=loaded, catalog=catalog, plan=plan, diagnostics=diagnostics)


def in_text_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort findings by file, as files first appear, then by place; those without a place come last."""
    found = tuple(diagnostics)
    files = list(dict.fromkeys(d.span.source.name for d in found if d.span))

    def place(finding: Diagnostic) -> tuple[int, int]:
        span = finding.span
        return (files.index(span.source.name), span.start) if span else (len(files), 0)

    return tuple(sorted(found, key=place))


def catalog_for(local: Sequence[str], choices: Choices) -> Catalog:
    """Load the installed plugins and the local ones of a recipe or plan and of the command line."""
    blocked = ("*",) if choices.no_plugins else ()
    return build_catalog(local=tuple(dict.fromkeys([*local, *choices.plugins])), blocked=blocked)


def tell(diagnostics: Sequence[Diagnostic]) -> None:
    """Write findings to stderr."""
    if diagnostics:
        click.echo(as_text(diagnostics, Paint.of(sys.stderr), room(sys.stderr)), err=True)


def choices_of(options: dict[str, Any]) -> Choices:
    """Take the choices out of a command's options."""
    return Choices(
        **{name: options.pop(name) for name in list(options) if name in Choices.__dataclass_fields__}
    )
