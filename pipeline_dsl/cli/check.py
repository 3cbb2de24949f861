"""``medrecipe check``: every mistake of a recipe that can be found without loading a model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from pipeline_dsl.cli.exits import exit_code
from pipeline_dsl.cli.figures import counted
from pipeline_dsl.cli.options import recipe_options
from pipeline_dsl.cli.prepare import choices_of, prepare
from pipeline_dsl.cli.render import as_concise, as_json, as_text
from pipeline_dsl.cli.terminal import Paint, room
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.model import Plan

_HELP = """Find all mistakes of recipes without loading a model.

Names, options, stacks, mixes, hooks, conditions, files and the first rows of the data are checked in one
go; nothing is trained, downloaded or written. Each mistake has a code, which "medrecipe explain CODE"
explains. The exit code is 0 when all is fine (warnings included), 2 for mistakes in a recipe, 3 for ones
in data, 4 for ones in a model or adapter.

\b
Examples:
  medrecipe check recipes/medgemma_korean.sdn
  medrecipe check recipes/*.sdn --format concise
  medrecipe check recipes/medgemma_korean.sdn --profile tiny --set seed=7
"""


@click.command("check", help=_HELP, short_help="Find all mistakes of recipes without loading a model.")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "concise", "json"]),
    default="text",
    show_default=True,
    help="text shows the source lines (on stderr), concise is one line each, json is for programs.",
)
@recipe_options
def command(recipes: tuple[str, ...], form: str, **options: Any) -> int:
    """Check recipes and print what was found."""
    choices = choices_of(options)
    prepared = [prepare(recipe, choices) for recipe in recipes]
    found = [d for p in prepared for d in p.diagnostics]
    _FORMS[form](found)
    if form != "json":
        for path, one in zip(recipes, prepared, strict=True):
            if one.plan is not None:
                click.echo(f"{path}: fine ({_contents(one.plan)})")
    return exit_code(found)


def _text(found: Sequence[Diagnostic]) -> None:
    if found:
        click.echo(as_text(found, Paint.of(sys.stderr), room(sys.stderr)), err=True)


def _concise(found: Sequence[Diagnostic]) -> None:
    if found:
        click.echo(as_concise(found))


def _json(found: Sequence[Diagnostic]) -> None:
    click.echo(as_json(found))


_FORMS: dict[str, Callable[[Sequence[Diagnostic]], None]] = {
    "text": _text,
    "concise": _concise,
    "json": _json,
}


def _contents(plan: Plan) -> str:
    profile = [f"profile {plan.profile}"] if plan.profile else []
    phases, tasks = counted(len(plan.phases), "phase"), counted(len(plan.tasks), "task")
    return ", ".join([*profile, phases, tasks])
