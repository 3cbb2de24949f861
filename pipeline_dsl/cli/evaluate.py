"""``medrecipe eval``: score the tasks of a finished run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.api.records import Score
from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.figures import count, figure, interval
from pipeline_dsl.cli.options import (
    device_option,
    json_option,
    no_plugins_option,
    plugin_option,
    runs_option,
)
from pipeline_dsl.cli.prepare import catalog_for, choices_of
from pipeline_dsl.cli.tables import Column, Table, draw
from pipeline_dsl.cli.used_run import local_plugins
from pipeline_dsl.run.history import RunDetail, locate_run, read_run

_HELP = """Score the tasks of a finished run again.

The base is loaded with the adapters that the run's last phase left, every file held against its manifest.
Nothing is trained, and the run's own record stays as it is.

RUN is an id or as much of its beginning as is unique, or the folder of a run. An exported stack has
no data; its scores are in its README.md.

\b
Examples:
  medrecipe eval 20260412-101530-3fa2
  medrecipe eval 20260412-10 --task exam --json
  medrecipe eval 20260412-10 --device cpu
"""


@click.command("eval", help=_HELP, short_help="Score the tasks of a finished run again.")
@click.argument("run", metavar="RUN")
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Score this task only. Repeatable.")
@click.option("--phase", metavar="NAME", help="Score what this phase left, instead of the last finished one.")
@json_option
@device_option
@plugin_option
@no_plugins_option
@runs_option
def command(
    *,
    run: str,
    tasks: tuple[str, ...],
    phase: str | None,
    runs: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Score a run and print the scores."""
    from pipeline_dsl.run.evaluate import evaluate_run

    folder, choices = locate_run(runs, run), choices_of(options)
    detail, catalog = read_run(folder), catalog_for(local_plugins(folder), choices)
    chosen = phase or _last_phase(detail)
    _say(f"scoring {', '.join(tasks) or 'all tasks'}")
    scores = evaluate_run(runs, run, catalog, tasks=tasks, phase=chosen, device=choices.device, say=_say)
    if as_json:
        plain = {task: asdict(score) for task, score in scores.items()}
        print_document({"run": detail.id, "phase": chosen, "scores": plain})
    else:
        click.echo(f"{detail.id} after {chosen}")
        draw(_table(scores))


def _last_phase(detail: RunDetail) -> str | None:
    """The phase whose adapters are the run's result; None where there is none."""
    done = [phase.name for phase in detail.phases if phase.status in {"finished", "reused", "rejected"}]
    return done[-1] if done else None


def _say(line: str) -> None:
    click.echo(line, err=True)


def _table(scores: Mapping[str, Score]) -> Table:
    columns = (
        Column("task"), Column("score", right=True), Column("95 % interval"),
        Column("n", right=True), Column("protocol"), Column("remark", folds=True),
    )  # fmt: skip
    rows = tuple(
        (task, figure(s.value), interval(s.low, s.high), count(s.n), s.protocol, s.invalid or "")
        for task, s in scores.items()
    )
    return Table(columns, rows)
