"""``medrecipe run``: train the phases of a recipe, with all checks first."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.cli.opening import opening
from pipeline_dsl.cli.options import DEFAULT_RUNS, recipe_options, runs_option
from pipeline_dsl.cli.outlook import print_plan
from pipeline_dsl.cli.prepare import Choices, catalog_for, choices_of, prepare, tell
from pipeline_dsl.cli.retention import show_retention
from pipeline_dsl.cli.screens import Screen, open_screen
from pipeline_dsl.cli.terminal import Paint
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.plan.unscored import refuse_unscored
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.history import find_run
from pipeline_dsl.run.matrix import read_retention
from pipeline_dsl.run.redaction import is_redacted
from pipeline_dsl.run.request import RunOutcome

_HELP = """Train the phases of a recipe.

Checks everything first, as "medrecipe check" does. A phase that a finished run already trained, with the
same meaning, data, base and versions, is reused. Ctrl-C finishes the step, writes a checkpoint and ends
with exit code 130; --resume goes on from there, with the recipe as it was unless RECIPE is given again.

\b
Examples:
  medrecipe run recipes/medgemma_korean.sdn
  medrecipe run recipes/medgemma_korean.sdn --profile tiny --max-samples 50
  medrecipe run recipes/medgemma_korean.sdn --phase mcq --set phases.mcq.train.learning_rate=1e-4
  medrecipe run --resume 20260412-101530-3fa2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is to be run, with which plugins."""

    plan: Plan
    catalog: Catalog
    recipe_text: str
    secrets: tuple[str, ...] = ()
    """Values that the recipe took from the environment."""
    opening: tuple[str, ...] = ()
    """What to say first."""


@click.command("run", help=_HELP, short_help="Train the phases of a recipe.")
@click.argument("recipe", required=False, metavar="[RECIPE]")
@click.option("--phase", "phases", multiple=True, metavar="NAME", help="Run this phase only. Repeatable.")
@click.option("--from", "start", metavar="PHASE", help="Begin with this phase; what it stands on is reused.")
@click.option("--dry-run", is_flag=True, help="Do all checks, show the plan and train nothing.")
@click.option("--resume", metavar="ID", help="Go on with a run that was interrupted or failed.")
@click.option("--fresh", is_flag=True, help="Train every phase, also those that could be reused.")
@click.option("--no-evaluate", is_flag=True, help="Score no task; refused where something goes by scores.")
@recipe_options
@runs_option
def command(
    *,
    recipe: str | None,
    phases: tuple[str, ...],
    start: str | None,
    dry_run: bool,
    resume: str | None,
    fresh: bool,
    no_evaluate: bool,
    runs: Path,
    **options: Any,
) -> int:
    """Check, run, and show what came of it."""
    choices = choices_of(options)
    if recipe is None and resume is None:
        msg = "Give a RECIPE to run, or --resume ID to go on with a run."
        raise click.UsageError(msg)
    job = _from_recipe(recipe, choices) if recipe is not None else _from_run(runs, str(resume), choices)
    if isinstance(job, int):
        return job
    _know_phases(job.plan, [*phases, *([start] if start else [])])
    if no_evaluate:
        refuse_unscored(job.plan)
    if dry_run:
        print_plan(job.plan, job.catalog, runs)
        return 0
    wanted = {"only": phases, "start": start, "fresh": fresh, "resume": resume, "runs": runs}
    wanted["scoring"] = not no_evaluate
    return _run(job, open_screen(), wanted)


def _from_recipe(path: str, choices: Choices) -> _Job | int:
    """Check a recipe; an exit code where it cannot be run."""
    prepared = prepare(path, choices)
    tell(prepared.diagnostics)
    if prepared.plan is None or prepared.catalog is None:
        return prepared.exit_code
    recipe, paint = prepared.loaded.recipe, Paint.of(sys.stdout)
    return _Job(
        plan=hash_files(prepared.plan),
        catalog=prepared.catalog,
        recipe_text=prepared.text,
        secrets=prepared.loaded.origins.secrets,
        opening=opening(path, prepared.plan, recipe, choices, paint) if recipe else (),
    )


def _from_run(runs: Path, run: str, choices: Choices) -> _Job:
    """Take the plan and the recipe that a run was started with."""
    folder = find_run(runs, run)
    try:
        plan = from_json(json.loads((folder / "plan.json").read_text("utf-8")))
        text = (folder / "recipe.sdn").read_text("utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"The plan of {folder} cannot be read ({error}); name the RECIPE beside --resume."
        raise click.UsageError(msg) from error
    if is_redacted(to_json(plan)):
        msg = (
            "This run took values from the environment, which are not kept: name the RECIPE beside --resume."
        )
        raise click.UsageError(msg)
    return _Job(plan=plan, catalog=catalog_for(plan.plugins, choices), recipe_text=text)


def _know_phases(plan: Plan, names: list[str]) -> None:
    known = [phase.name for phase in plan.phases]
    for name in names:
        if name not in known:
            msg = f"There is no phase {name!r}; the phases are {', '.join(known)}."
            raise click.UsageError(msg)


def _run(job: _Job, screen: Screen, wanted: dict[str, Any]) -> int:
    from pipeline_dsl.cli.progress import Progress
    from pipeline_dsl.run.request import RunRequest
    from pipeline_dsl.run.start import run_plan

    for line in job.opening:
        screen.line(line)
    tasks = [task.name for task in job.plan.tasks] if wanted["scoring"] else []
    progress = Progress(screen, Paint.of(sys.stdout), tasks)
    request = RunRequest(
        plan=job.plan,
        recipe_text=job.recipe_text,
        secrets=job.secrets,
        listeners=(("progress", progress),),
        say=progress.say,
        **wanted,
    )
    progress.prepare()
    try:
        outcome = run_plan(request, job.catalog)
    except MedrecipeError:
        screen.stop()
        if progress.run is not None:
            screen.line(_to_go_on(progress.run, wanted))
        raise
    finally:
        screen.stop()
    _sum_up(outcome, wanted)
    return outcome.exit_code


def _sum_up(outcome: RunOutcome, wanted: dict[str, Any]) -> None:
    """Show the retention matrix, where the run is and what to do next."""
    matrix = read_retention(outcome.folder)
    if matrix.tasks:
        click.echo()
        show_retention(outcome.folder, matrix)
        click.echo()
    elif not wanted["scoring"]:
        click.echo("\nno task was scored")
    click.echo(f"everything is in {outcome.folder}; what was said, with times, in run.log there")
    click.echo(_next_step(outcome, wanted))


def _next_step(outcome: RunOutcome, wanted: dict[str, Any]) -> str:
    show = f"medrecipe runs show {outcome.id}{_elsewhere(wanted)}"
    match outcome.status:
        case "finished":
            return f"next: {show}"
        case "rejected":
            return f"a phase broke its retention contract; to see which: {show}"
        case _:
            return _to_go_on(outcome.id, wanted)


def _to_go_on(run: str, wanted: dict[str, Any]) -> str:
    """The command that goes on with a run as it was begun."""
    options = [f"--phase {shlex.quote(name)}" for name in wanted["only"]]
    options += [f"--from {shlex.quote(wanted['start'])}"] if wanted["start"] else []
    options += ["--fresh"] if wanted["fresh"] else []
    options += [] if wanted["scoring"] else ["--no-evaluate"]
    return f"to go on: {' '.join(['medrecipe run --resume', run, *options])}{_elsewhere(wanted)}"


def _elsewhere(wanted: dict[str, Any]) -> str:
    """The option that finds the run again, where it is not in the default folder."""
    runs = wanted["runs"]
    return "" if runs == DEFAULT_RUNS else f" --runs {shlex.quote(str(runs))}"
