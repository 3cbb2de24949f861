"""``medrecipe check``: every mistake of a recipe that can be found without loading a model."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline_dsl.cli.exits import exit_code
from pipeline_dsl.cli.figures import counted
from pipeline_dsl.cli.options import recipe_options
from pipeline_dsl.cli.parts import Checked, as_parts
from pipeline_dsl.cli.prepare import Choices, choices_of, prepare
from pipeline_dsl.cli.profiles import with_other_profiles
from pipeline_dsl.cli.render import as_concise, as_json, as_text, made_line
from pipeline_dsl.cli.terminal import Paint, room
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.model import Plan

if TYPE_CHECKING:
    from pipeline_dsl.cli.fixing import Made, Mended

_HELP = """Find all mistakes of recipes without loading a model.

Names, options, stacks, mixes, hooks, conditions, files and the first rows of the data are checked in one go;
nothing is trained or downloaded. Without --profile, what the profiles that are not the default one say is
checked too, their data left aside. Each mistake has a code, which "medrecipe explain CODE" explains. The exit
code is 0 when all is fine (warnings included), 2 for mistakes in a recipe, 3 for ones in data, 4 for ones in
a model or adapter. A recipe without phases is fine beside one that extends it.

With --fix, mistakes of which it is certain what was meant are mended in the files that are named: a letter
wrong in a key, a colon that is missing. All other bytes stay, comments too. What was mended and what is left
is told; the exit code is that of what is left. For "-" the mended text goes to standard output.

\b
Examples:
  medrecipe check recipes/medgemma_korean.sdn
  medrecipe check recipes/*.sdn --format concise
  medrecipe check recipes/medgemma_korean.sdn --profile tiny --set seed=7
  medrecipe check draft.sdn --diff                 what --fix would change
  medrecipe check draft.sdn --fix
  medrecipe check recipes/*.sdn --format sarif > found.sarif
"""
_FOR_PROGRAMS = frozenset({"json", "sarif"})


@click.command("check", help=_HELP, short_help="Find all mistakes of recipes without loading a model.")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "concise", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="text shows the source lines (on stderr), concise is one line each; json and sarif (2.1.0) are for "
    "programs, github for annotations in GitHub Actions.",
)
@click.option("--fix", is_flag=True, help="Mend what is certain, in the files that are named.")
@click.option("--diff", is_flag=True, help="Print what --fix would change, and write nothing.")
@recipe_options
def command(recipes: tuple[str, ...], form: str, *, fix: bool, diff: bool, **options: Any) -> int:
    """Check recipes, mend them if that is asked, and print what was found."""
    choices = choices_of(options)
    if fix or diff:
        return _mended(recipes, choices, form, fix=fix, diff=diff)
    prepared = [with_other_profiles(prepare(recipe, choices), choices) for recipe in recipes]
    checked = as_parts(recipes, prepared)
    found = _found(checked)
    _tell(found, form)
    _tell_fine(checked, err=False, form=form)
    return exit_code(found)


def _mended(recipes: tuple[str, ...], choices: Choices, form: str, *, fix: bool, diff: bool) -> int:
    """Mend recipes, show the changes if that is asked, and tell what is left."""
    from pipeline_dsl.cli.fixing import differences, mend, unnamed, write_back

    if fix and diff:
        raise click.UsageError("--fix writes and --diff only shows: give one of them")
    taken = diff or "-" in recipes
    if taken and form != "text":
        raise click.UsageError("the text goes to stdout here: leave --format out")
    mended = mend(recipes, choices)
    if diff:
        click.echo(differences(mended, recipes), nl=False)
        return exit_code(_found(as_parts(recipes, mended.at_first)))
    write_back(mended)
    if "-" in mended.after:
        click.echo(mended.after["-"], nl=False)
    checked = as_parts(recipes, mended.prepared)
    found = _found(checked)
    _tell_made(mended, unnamed(mended), form)
    _tell(found, form, mended.made)
    _tell_fine(checked, err=taken, form=form)
    return exit_code(found)


def _found(checked: Sequence[Checked]) -> list[Diagnostic]:
    """All findings; one in a file that several recipes extend is told once."""
    together: dict[tuple[object, ...], Diagnostic] = {}
    for one in checked:
        for found in one.prepared.diagnostics:
            together.setdefault(_told(found), found)
    return list(together.values())


def _told(found: Diagnostic) -> tuple[object, ...]:
    span = found.span
    where = (os.path.realpath(span.source.name), span.start, span.end) if span else (id(found),)
    return found.code, found.message, *where


def _tell(found: Sequence[Diagnostic], form: str, made: Sequence[Made] = ()) -> None:
    if form == "json":
        click.echo(as_json(found, [(one.found, one.fix) for one in made]))
    elif form == "sarif":
        from pipeline_dsl.cli.sarif import as_sarif

        click.echo(as_sarif(found))
    elif found and form == "github":
        from pipeline_dsl.cli.annotations import as_annotations

        click.echo(as_annotations(found))
    elif found and form == "concise":
        click.echo(as_concise(found))
    elif found:
        click.echo(as_text(found, Paint.of(sys.stderr), room(sys.stderr)), err=True)


def _tell_made(mended: Mended, others: Sequence[str], form: str) -> None:
    """Say what was mended, and where more could be."""
    if form in _FOR_PROGRAMS:
        return
    for made in mended.made:
        click.echo(made_line(made.found, made.fix), err=True)
    for name in others:
        click.echo(f"{name} is not named, and is left as it is: medrecipe check --fix {name}", err=True)


def _tell_fine(checked: Sequence[Checked], *, err: bool, form: str) -> None:
    if form in _FOR_PROGRAMS:
        return
    for one in checked:
        plan = one.prepared.plan
        if plan is not None:
            click.echo(f"{one.path}: fine ({_contents(plan)})", err=err)
        elif one.extended_by and not one.prepared.diagnostics:
            click.echo(f"{one.path}: fine (a part of {', '.join(one.extended_by)})", err=err)


def _contents(plan: Plan) -> str:
    profile = [f"profile {plan.profile}"] if plan.profile else []
    phases, tasks = counted(len(plan.phases), "phase"), counted(len(plan.tasks), "task")
    return ", ".join([*profile, phases, tasks])
