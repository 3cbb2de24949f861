"""A plan for people and as JSON: what each phase is built on, what it costs, why it will run or be reused."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.api.records import Fertility
from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.figures import count, counted, figure, share
from pipeline_dsl.cli.terminal import Paint, folded, padded, room
from pipeline_dsl.plan.estimate import STREAMED, estimate
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.inspection import inspect_data
from pipeline_dsl.plan.model import ContractPlan, Estimate, PhasePlan, Plan, StagePlan
from pipeline_dsl.plan.plan_json import to_json
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.reuse import Reason, reusable

_INDENT = "  "
_LABEL = 10
"""Cells of the words at the left."""
_ROLES = {"merge": "merged", "freeze": "frozen"}


def print_plan(plan: Plan, catalog: Catalog, runs: Path, *, as_json: bool = False) -> None:
    """Estimate a plan and print it."""
    notes: list[str] = []
    hashed = hash_files(plan)
    inspect_data(hashed, catalog, notes.append)
    known = estimate(hashed, catalog, notes.append)
    reasons = reusable(known, runs)
    if as_json:
        print_document(plan_json(known, reasons, notes))
    else:
        width = room(sys.stdout)
        lines = plan_lines(known, reasons, notes, Paint.of(sys.stdout))
        click.echo("\n".join(part for line, hang in lines for part in folded(line, width, hang)))


def plan_json(plan: Plan, reasons: Mapping[str, Reason], notes: Sequence[str] = ()) -> dict[str, Any]:
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
    return {"phases": phases, "notes": list(notes), "plan": to_json(plan)}


def plan_lines(
    plan: Plan, reasons: Mapping[str, Reason], notes: Sequence[str], paint: Paint
) -> Iterator[tuple[str, int]]:
    """Yield the lines of a plan, each with the indent of what does not fit on it.

    Args:
        plan: with its estimates.
        reasons: why each phase will run or be reused.
        notes: what is doubtful, and why something is not known yet.
        paint: colours, or none.
    """
    profile = f", profile {plan.profile}" if plan.profile else ""
    yield f"{paint.bold(plan.recipe)} ({plan.path}{profile})", _LABEL
    yield f"base {_base(plan)}, device {plan.device}, seed {plan.seed}", _LABEL
    if plan.fertility is not None:
        yield _fertility(plan.fertility), _LABEL
    absent = [f"`{name}`" for name, planned in plan.data.items() if not planned.here]
    if absent:
        yield f"data not here yet: {', '.join(absent)}; a run fetches it", _LABEL
    for number, phase in enumerate(plan.phases, 1):
        yield "", 0
        yield f"{number} {paint.bold(phase.name)}: {_will(reasons[phase.name], paint)}", _LABEL
        for label, text in _details(plan, phase):
            yield f"{_INDENT}{padded(label, _LABEL)}{text}", len(_INDENT) + _LABEL
    yield "", 0
    yield _sum(plan, reasons), _LABEL
    for note in notes:
        yield f"note: {note}", _LABEL


def _will(reason: Reason, paint: Paint) -> str:
    return paint.green(reason.text) if reason.reused_from else reason.text


def _base(plan: Plan) -> str:
    if plan.base is None:
        return f"{plan.model.options.get('name') or plan.model.name} (not here yet)"
    revision = f" at {plan.base.revision[:12]}" if plan.base.revision else ""
    quantisation = f", {plan.base.quantisation}" if plan.base.quantisation else ""
    dtype = f", {plan.base.dtype}" if plan.base.dtype else ""
    return f"{plan.base.name}{revision}, {plan.base.architecture}{quantisation}{dtype}"


def _fertility(known: Fertility) -> str:
    """What added tokens gain."""
    characters = max(1, known.characters)
    before, after = (f"{tokens / characters:.3f}" for tokens in (known.tokens_before, known.tokens))
    return f"fertility {after} tokens a character with the added tokens, {before} without, on the first data"


def _details(plan: Plan, phase: PhasePlan) -> Iterator[tuple[str, str]]:
    """What is to be said of a phase, with what it is about."""
    yield "stack", _stack(phase)
    if phase.estimate.trainable_parameters is not None:
        yield "trains", _parameters(phase.estimate)
    if phase.estimate.manner:
        yield "", phase.estimate.manner
    yield "data", ", ".join(f"{mix.data} {100 * mix.weight:.3g} %" for mix in phase.mix)
    yield "", _amounts(phase.estimate)
    yield "prepared", _prepared(phase)
    for i, stage in enumerate(phase.stages):
        yield "" if i else "stages", _stage(stage)
    if phase.task is not None:
        yield "teaches", phase.task
    for i, contract in enumerate(phase.retain):
        yield "" if i else "keeps", _contract(contract, rises=plan.task(contract.task).higher_is_better)


def _stack(phase: PhasePlan) -> str:
    """What lies below, bottom first, and what is trained on it."""
    below = [f"{x.adapter} {_ROLES[x.role]}" for x in phase.stack if x.role in _ROLES]
    above = [
        f"{x.adapter}{' on' if x.role == 'continue' else ''}" for x in phase.stack if x.role not in _ROLES
    ]
    trained = f" -> trains {', '.join(above)}" if above else ""
    return " + ".join(["base", *below]) + trained


def _parameters(known: Estimate) -> str:
    trained, total = known.trainable_parameters or 0, known.total_parameters or 0
    return f"{count(trained)} of {count(total)} parameters ({share(trained, total)})"


def _amounts(known: Estimate) -> str:
    tokens = f" and {count(known.tokens)} tokens" if known.tokens is not None else ""
    steps = "steps not known yet" if known.steps is None else f"{counted(known.steps, 'step')} in all"
    if known.samples is None:
        return f"{'a stream' if STREAMED in known.prepared else 'samples not known yet'}, {steps}"
    return f"{counted(known.samples, 'sample')}{tokens} an epoch, {steps}"


def _prepared(phase: PhasePlan) -> str:
    """What becomes of the prepared data of each source; one word where it is the same for all."""
    states = phase.estimate.prepared
    if len(set(states)) == 1:
        return states[0]
    return ", ".join(f"{mix.data} {state}" for mix, state in zip(phase.mix, states, strict=True))


def _stage(stage: StagePlan) -> str:
    """A stage in words: what it trains on instead of the phase's own, and when it is over."""
    parts = [stage.template.name] if stage.template else []
    parts += [f"at most {counted(stage.samples, 'row')}"] if stage.samples else []
    parts += [f"at most {counted(stage.steps, 'step')}"] if stage.steps is not None else []
    parts += [f"until {stage.until}"] if stage.until else []
    return f"{stage.name}: {', '.join(parts)}"


def _contract(contract: ContractPlan, *, rises: bool) -> str:
    """A contract in words: what the score may become, and what happens else."""
    if contract.keep is not None:
        bound = f"{100 * contract.keep:.3g} % of its best"
        text = f"at least {bound}" if rises else f"at most its best / {figure(contract.keep)}"
    elif contract.drop is not None:
        text = f"at most {figure(contract.drop)} {'below' if rises else 'above'} its best"
    else:
        text = f"at most {100 * (contract.rise or 0):.3g} % above its best"
    return f"{contract.task} {text}, else {contract.otherwise}"


def _sum(plan: Plan, reasons: Mapping[str, Reason]) -> str:
    todo = [phase for phase in plan.phases if reasons[phase.name].reused_from is None]
    reused = len(plan.phases) - len(todo)
    steps = sum(phase.estimate.steps or 0 for phase in todo)
    if not todo:
        return "nothing to train: every phase is reused"
    also = f", {counted(reused, 'phase')} reused" if reused else ""
    return f"{counted(len(todo), 'phase')} to train in {counted(steps, 'step')}{also}"
