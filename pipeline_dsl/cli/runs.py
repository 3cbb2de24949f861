"""``medrecipe runs``: list runs and look into one. Loads no parser of recipes and no model code."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.figures import NOTHING, duration, figure
from pipeline_dsl.cli.groups import Group
from pipeline_dsl.cli.options import json_option, runs_option
from pipeline_dsl.cli.retention import show_retention
from pipeline_dsl.cli.tables import Column, Table, draw
from pipeline_dsl.cli.terminal import Paint
from pipeline_dsl.run.history import RunDetail, list_runs, show_run
from pipeline_dsl.run.summary import RunSummary

_LIST_HELP = """List all runs, newest first.

A run whose process is gone without a word is shown as crashed, one whose record cannot be read as damaged.

\b
Examples:
  medrecipe runs list
  medrecipe runs list --project korean --json
"""

_SHOW_HELP = """Show one run: its phases, scores and retention.

ID is the run's id, as much of its beginning as is unique, or PROJECT/ID.

\b
Examples:
  medrecipe runs show 20260412-101530-3fa2
  medrecipe runs show 20260412-10 --json
"""

_HELP = """List runs and look into one.

\b
Examples:
  medrecipe runs list
  medrecipe runs show 20260412-101530
  medrecipe runs list --json | jq '.runs[0].summary'
"""


@click.group("runs", cls=Group, help=_HELP, short_help="List runs and look into one.", no_args_is_help=True)
def command() -> None:
    """The commands that read the history."""


@command.command("list", help=_LIST_HELP, short_help="List all runs, newest first.")
@click.option("--project", metavar="NAME", help="Only the runs of this project.")
@json_option
@runs_option
def list_(*, runs: Path, project: str | None, as_json: bool) -> None:
    """List all runs."""
    found = [run for run in list_runs(runs) if project in {None, run.project}]
    if as_json:
        print_document({"runs": [_summary_json(run) for run in found]})
    elif found:
        draw(_list_table(found))
        for run in found:
            if run.problem:
                click.echo(f"damaged: {run.folder}: {run.problem}", err=True)
    else:
        click.echo(f"no runs in {runs} yet; medrecipe run RECIPE makes one", err=True)


@command.command("show", help=_SHOW_HELP, short_help="Show one run: its phases, scores and retention.")
@click.argument("run", metavar="ID")
@json_option
@runs_option
def show(*, run: str, runs: Path, as_json: bool) -> None:
    """Show one run."""
    detail = show_run(runs, run)
    if as_json:
        print_document({"run": detail_json(detail)})
    else:
        _tell(detail)


def detail_json(detail: RunDetail) -> dict[str, Any]:
    """Return a run in full as JSON."""
    retention = asdict(detail.retention)
    phases = [{k: v for k, v in asdict(p).items() if k != "reused_from"} for p in detail.phases]
    return {**_summary_json(detail), "phases": phases, "retention": retention}


def _summary_json(run: RunSummary) -> dict[str, Any]:
    data = {
        "id": run.id,
        "project": run.project,
        "recipe": run.recipe,
        "profile": run.profile,
        "status": run.status,
        "started": run.started,
        "duration_seconds": run.duration_seconds,
        "summary": run.summary,
    }
    return data if run.problem is None else {**data, "path": str(run.folder), "problem": run.problem}


def _list_table(found: list[RunSummary]) -> Table:
    columns = (
        Column("id"), Column("project"), Column("recipe"), Column("profile"), Column("status"),
        Column("started"), Column("took", right=True), Column("scores"),
    )  # fmt: skip
    return Table(columns, tuple(_list_row(run) for run in found))


def _list_row(run: RunSummary) -> tuple[str, ...]:
    return (
        run.id,
        run.project,
        run.recipe or NOTHING,
        run.profile or NOTHING,
        run.status,
        (run.started or NOTHING)[:19].replace("T", " "),
        duration(run.duration_seconds),
        "  ".join(f"{task} {figure(value)}" for task, value in run.summary.items()),
    )


def _tell(detail: RunDetail) -> None:
    run, paint = detail, Paint.of(sys.stdout)
    click.echo(f"{paint.bold(run.id)}  {run.status}  project {run.project}, recipe {run.recipe or NOTHING}")
    took = duration(run.duration_seconds)
    click.echo(f"profile {run.profile or NOTHING}, started {run.started or NOTHING}, took {took}")
    click.echo(f"folder {run.folder}")
    if run.problem:
        click.echo(f"{paint.red('damaged')}: {run.problem}", err=True)
    if detail.phases:
        click.echo()
        draw(_phase_table(detail))
    if detail.retention.tasks:
        click.echo()
        show_retention(detail.retention)


def _phase_table(detail: RunDetail) -> Table:
    columns = (
        Column("phase"),
        Column("status"),
        Column("own task"),
        Column("adapter"),
        Column("fingerprint"),
    )
    rows = tuple(
        (p.name, p.status, p.own_task or NOTHING, p.adapter or NOTHING, (p.fingerprint or NOTHING)[:12])
        for p in detail.phases
    )
    return Table(columns, rows)
