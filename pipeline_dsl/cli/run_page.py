"""One run for people: what became of it, its phases, its contracts, its retention matrix."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from pipeline_dsl.cli.figures import NOTHING, count, duration, figure, moment
from pipeline_dsl.cli.remarks import remarks
from pipeline_dsl.cli.retention import show_retention
from pipeline_dsl.cli.standing import Probes
from pipeline_dsl.cli.tables import Column, Table, draw
from pipeline_dsl.cli.terminal import Paint
from pipeline_dsl.run.history import PhaseSummary, RunDetail
from pipeline_dsl.run.logs import FILE as LOG
from pipeline_dsl.run.matrix import read_json
from pipeline_dsl.run.memory import in_words

Json = dict[str, Any]
_WELL = frozenset({"finished", "reused", "kept"})
_OPEN = frozenset({"running", "trained", "pending", "interrupted", "unclear", NOTHING})


def tell_run(run: RunDetail) -> None:
    """Write a run to stdout."""
    paint = Paint.of(sys.stdout)
    click.echo(f"{paint.bold(run.id)}  {status_ink(paint)(run.status)}")
    click.echo(f"recipe   {_recipe(run)}")
    click.echo(f"started  {moment(run.started)}, took {duration(run.duration_seconds)}")
    click.echo(f"folder   {run.folder}")
    if (run.folder / LOG).is_file():
        click.echo(f"log      {LOG} (in this folder)")
    adapters = [phase.adapter for phase in run.phases if phase.adapter and phase.status in _WELL]
    if adapters:
        click.echo(f"adapter  {adapters[-1]} (in this folder; of the last finished phase)")
    if run.problem:
        click.echo(f"{paint.red('damaged')}: {run.problem}", err=True)
    for table in (_phases(run, paint), _contracts(run, paint)):
        if table.rows:
            click.echo()
            draw(table)
    told = [*(line for phase in run.phases for line in remarks(phase)), *_memory(run)]
    if told:
        click.echo()
        click.echo("\n".join(told))
    if run.retention.tasks:
        click.echo()
        show_retention(run.folder, run.retention)
    elif run.status == "finished" and (read_json(run.folder / "plan.json") or {}).get("tasks"):
        click.echo(f"\nnot scored; to score it: medrecipe run --resume {run.id}")


def status_ink(paint: Paint) -> Callable[[str], str]:
    """Return what colours a status: green where all is well, red where it is not."""

    def ink(text: str) -> str:
        word = text.strip().partition(" ")[0].rstrip(",")
        return paint.green(text) if word in _WELL else text if word in _OPEN else paint.red(text)

    return ink


def _recipe(run: RunDetail) -> str:
    recipe = run.recipe or NOTHING
    project = "" if run.project == recipe else f", project {run.project}"
    return f"{recipe}{f', profile {run.profile}' if run.profile else ''}{project}"


def _phases(run: RunDetail, paint: Paint) -> Table:
    reused = any(phase.reused_from for phase in run.phases)
    columns = (
        Column("phase"), Column("status", ink=status_ink(paint)), Column("own task"),
        Column("steps", right=True), Column("loss", right=True), Column("took", right=True),
        *([Column("reused from")] if reused else []),
    )  # fmt: skip
    return Table(columns, tuple(_phase(phase)[: len(columns)] for phase in run.phases))


def _phase(phase: PhaseSummary) -> tuple[str, ...]:
    steps, loss, seconds = (_number((phase.metrics or {}).get(name)) for name in ("steps", "loss", "seconds"))
    return (
        phase.name,
        phase.status,
        phase.own_task or NOTHING,
        count(None if steps is None else int(steps)),
        figure(loss),
        duration(seconds),
        phase.reused_from or "",
    )


def _memory(run: RunDetail) -> list[str]:
    """One line for each phase that was trained: how much memory it took."""
    told = {phase.name: in_words((phase.metrics or {}).get("memory")) for phase in run.phases}
    return [f"memory of {name}: {words}" for name, words in told.items() if words]


def _contracts(run: RunDetail, paint: Paint) -> Table:
    columns = (
        Column("contract of"), Column("task"), Column("score", right=True), Column("asked for"),
        Column("outcome", ink=status_ink(paint)),
    )  # fmt: skip
    probes = Probes.of(run.folder)
    rows = (
        _contract(run, phase.name, verdict, probes)
        for phase in run.phases
        for verdict in _verdicts(run, phase.name)
    )
    return Table(columns, tuple(rows))


def _verdicts(run: RunDetail, phase: str) -> Iterator[Json]:
    """What a phase's record says of its contracts."""
    record = read_json(run.folder / "phases" / phase / "phase.json") or {}
    found = record.get("contracts")
    for verdict in found if isinstance(found, list) else ():
        if isinstance(verdict, dict) and isinstance(verdict.get("contract"), dict):
            yield verdict


def _contract(run: RunDetail, phase: str, verdict: Json, probes: Probes) -> tuple[str, ...]:
    task = str(verdict["contract"].get("task"))
    score, bound = _score(run, phase, task), _number(verdict.get("bound"))
    if score is None or bound is None:
        return phase, task, figure(score), NOTHING, NOTHING
    side = "at least" if probes.rises(task) else "at most"
    past = score < bound if probes.rises(task) else score > bound
    return phase, task, figure(score), f"{side} {figure(bound)}", _outcome(verdict, past=past)


def _score(run: RunDetail, phase: str, task: str) -> float | None:
    matrix = run.retention
    if phase not in matrix.rows or task not in matrix.tasks:
        return None
    return matrix.scores[matrix.rows.index(phase)][matrix.tasks.index(task)]


def _outcome(verdict: Json, *, past: bool) -> str:
    if verdict.get("broken"):
        return "broken, rejected" if verdict["contract"].get("otherwise") == "reject" else "broken, warned"
    return "unclear, kept" if past else "kept"


def _number(value: object) -> float | None:
    """A number of a record, None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
