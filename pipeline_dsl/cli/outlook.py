"""A plan for people and as JSON: what each phase is built on, what it costs, why it will run or be reused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.figures import NOTHING, count
from pipeline_dsl.cli.tables import Column, Table, draw
from pipeline_dsl.plan.estimate import estimate
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import PhasePlan, Plan, to_json
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.reuse import Reason, reusable


def print_plan(plan: Plan, catalog: Catalog, runs: Path, *, as_json: bool = False) -> None:
    """Estimate a plan and print it."""
    known = estimate(hash_files(plan), catalog, _say)
    reasons = reusable(known, runs)
    if as_json:
        print_document(plan_json(known, reasons))
    else:
        _tell(known, reasons)


def plan_json(plan: Plan, reasons: Mapping[str, Reason]) -> dict[str, Any]:
    """Return the plan and, for each phase, whether it will run and why."""
    phases = [
        {
            "name": phase.name,
            "will": "run" if reasons[phase.name].reused_from is None else "reuse",
            "reused_from": reasons[phase.name].reused_from,
            "why": reasons[phase.name].text,
        }
        for phase in plan.phases
    ]
    return {"phases": phases, "plan": to_json(plan)}


def _say(line: str) -> None:
    click.echo(line, err=True)


def _tell(plan: Plan, reasons: Mapping[str, Reason]) -> None:
    profile = f", profile {plan.profile}" if plan.profile else ""
    click.echo(f"{plan.recipe} ({plan.path}{profile}), seed {plan.seed}, device {plan.device}")
    click.echo(f"base {_base(plan)}")
    click.echo()
    draw(Table(tuple(c for c, _ in _COLUMNS), tuple(tuple(f(p) for _, f in _COLUMNS) for p in plan.phases)))
    click.echo()
    for phase in plan.phases:
        click.echo(f"{phase.name}: {reasons[phase.name].text}")


def _base(plan: Plan) -> str:
    if plan.base is None:
        return f"{plan.model.options.get('name') or plan.model.name} (not here yet)"
    revision = f" at {plan.base.revision[:12]}" if plan.base.revision else ""
    quantisation = f", {plan.base.quantisation}" if plan.base.quantisation else ""
    return f"{plan.base.name}{revision}, {plan.base.architecture}{quantisation}"


def _stands_on(phase: PhasePlan) -> str:
    below = [f"{layer.adapter} ({layer.role})" for layer in phase.stack if layer.role != "train"]
    return " + ".join(["base", *below])


def _learns(phase: PhasePlan) -> str:
    return ", ".join(phase.trained) or NOTHING


def _reads(phase: PhasePlan) -> str:
    return ", ".join(f"{mix.data} {100 * mix.weight:.3g} %" for mix in phase.mix)


_COLUMNS: tuple[tuple[Column, Callable[[PhasePlan], str]], ...] = (
    (Column("phase"), lambda p: p.name),
    (Column("stands on"), _stands_on),
    (Column("trains"), _learns),
    (Column("parameters", right=True), lambda p: count(p.estimate.trainable_parameters)),
    (Column("from"), _reads),
    (Column("samples", right=True), lambda p: count(p.estimate.samples)),
    (Column("steps", right=True), lambda p: count(p.estimate.steps)),
    (Column("tokens an epoch", right=True), lambda p: count(p.estimate.tokens)),
)
