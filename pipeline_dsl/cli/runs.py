"""``medrecipe runs``: list runs and look into one. Loads no parser of recipes and no model code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.figures import NOTHING, duration, figure, moment
from pipeline_dsl.cli.groups import Group
from pipeline_dsl.cli.options import json_option, runs_option
from pipeline_dsl.cli.run_page import status_ink, tell_run
from pipeline_dsl.cli.tables import Column, Table, table_lines
from pipeline_dsl.cli.terminal import Paint, cells, folded, room
from pipeline_dsl.run.history import RunDetail, list_runs, show_run
from pipeline_dsl.run.summary import RunSummary

_LIST_HELP = """List all runs, newest first, with the newest score of every task.

A run whose process is gone without a word is shown as crashed, one whose record cannot be read as damaged.

\b
Examples:
  medrecipe runs list
  medrecipe runs list --project korean --json
"""

_SHOW_HELP = """Show one run: its phases, contracts, scores and retention.

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
        click.echo("\n".join(list_lines(found, Paint.of(sys.stdout), room(sys.stdout))))
        for run in found:
            if run.problem:
                click.echo(f"damaged: {run.folder}: {run.problem}", err=True)
    else:
        click.echo(f"no runs in {runs} yet; medrecipe run RECIPE makes one", err=True)


@command.command("show", help=_SHOW_HELP, short_help="Show one run: its phases, contracts, scores.")
@click.argument("run", metavar="ID")
@json_option
@runs_option
def show(*, run: str, runs: Path, as_json: bool) -> None:
    """Show one run."""
    detail = show_run(runs, run)
    if as_json:
        print_document({"run": detail_json(detail)})
    else:
        tell_run(detail)


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


def list_lines(found: Sequence[RunSummary], paint: Paint, width: int | None) -> list[str]:
    """One line for each run; on a terminal that is too narrow for all of it, the scores below it."""
    scores = [_scores(run) for run in found]
    wide = table_lines(_list_table(found, paint, scores), paint)
    if width is None or max(cells(click.unstyle(line)) for line in wide) <= width:
        return wide
    head, *lines = table_lines(_list_table(found, paint), paint)
    below = [folded(f"  {text}", width, 2) if text else [] for text in scores]
    return [
        head,
        *(part for line, more in zip(lines, below, strict=True) for part in (line, *map(paint.dim, more))),
    ]


def _list_table(found: Sequence[RunSummary], paint: Paint, scores: Sequence[str] | None = None) -> Table:
    columns = (
        Column("id"), Column("status", ink=status_ink(paint)), Column("started"),
        Column("took", right=True), Column("recipe"), *([Column("scores")] if scores else []),
    )  # fmt: skip
    last = scores or [""] * len(found)
    rows = ((*_list_row(run), text) for run, text in zip(found, last, strict=True))
    return Table(columns, tuple(row[: len(columns)] for row in rows))


def _list_row(run: RunSummary) -> tuple[str, ...]:
    recipe = run.recipe or NOTHING
    place = recipe if run.project == recipe else f"{run.project}/{recipe}"
    profile = f" ({run.profile})" if run.profile else ""
    return run.id, run.status, moment(run.started), duration(run.duration_seconds), f"{place}{profile}"


def _scores(run: RunSummary) -> str:
    return ", ".join(f"{task} {figure(value)}" for task, value in run.summary.items())
