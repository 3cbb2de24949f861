"""The part of a model card that tells how good a stack is, as it was measured in its run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline_dsl.api.records import MergeProof, Score
from pipeline_dsl.plan.model import TaskPlan
from pipeline_dsl.run.card_facts import CardFacts
from pipeline_dsl.run.markdown import code, codes, figure, inert, table
from pipeline_dsl.run.retention import BASE

Json = dict[str, Any]
_FIGURES = (
    ("acc", "ACC", "own tasks at the end, on average"),
    ("bwt", "BWT", "change of own tasks since they were taught"),
    ("forgetting", "forgetting", "fall of own tasks from their best"),
)


def scores(facts: CardFacts) -> str:
    """Return the section: base against the stack, task by task."""
    measured = [t for t in facts.plan.tasks if any((row, t.name) in facts.scores for row in _rows(facts))]
    if not measured:
        return "The run took no scores."
    rows = [
        [
            code(task.name),
            _measure(task),
            *(_value(facts.scores.get((row, task.name))) for row in _rows(facts)),
            *_how(*(facts.scores.get((row, task.name)) for row in _rows(facts))),
        ]
        for task in measured
    ]
    columns = ("task", "measured on", "base", "this", "n", "protocol", "remark")
    where = ", ".join(part for part in (code(facts.device), _dtype(facts)) if part)
    return (
        f"{table(columns, rows)}\n\nValue and 95 % interval, measured on {where} at the end of the phase "
        f"{code(facts.phase.name)}. Two values differ clearly where their intervals do "
        "not overlap. Tasks on data that was trained on measure memory, not reasoning."
    )


def retention(facts: CardFacts) -> str:
    """Return what became of earlier tasks: figures where the whole run led to it, and contracts."""
    return "\n\n".join(part for part in (_summary(facts), *_contracts(facts)) if part) or (
        "The recipe asks for nothing to be kept."
    )


def proofs(facts: CardFacts, made: MergeProof | None, dtype: str | None) -> str:
    """Return what was proven of merges: in training, and now."""
    lines = []
    if facts.trained_proof:
        lines.append(f"- in training: {_proof(facts.trained_proof)}")
    if made is not None:
        whole = {
            "adapters": made.adapters,
            "probes": made.probes,
            "max_abs_logit_difference": made.max_abs_logit_difference,
            "max_kl": made.max_kl,
            "tolerance": made.tolerance,
        }
        rounded = f" The weights were rounded to {code(dtype)} after it." if dtype else ""
        lines.append(f"- of these weights: {_proof(whole)}{rounded}")
    return "\n".join(lines) or "Nothing was merged."


def _rows(facts: CardFacts) -> tuple[str, str]:
    return BASE, facts.phase.name


def _value(score: Score | None) -> str:
    if score is None:
        return "not measured"
    doubt = " (!)" if score.invalid else ""
    return f"{figure(score.value)} \\[{figure(score.low)}, {figure(score.high)}\\]{doubt}"


def _measure(task: TaskPlan) -> str:
    less = "" if task.higher_is_better else ", less is better"
    return f"{code(task.data)} through {code(task.template.name)}: {code(task.metric.name)}{less}"


def _how(base: Score | None, score: Score | None) -> tuple[str, str, str]:
    """Items, protocol and remark; the remark says what should not be believed."""
    measured = score or base
    if measured is None:
        return "", "", ""
    doubts = [
        f"{what} is not to be believed: {inert(each.invalid)}"
        for what, each in (("base", base), ("this", score))
        if each is not None and each.invalid
    ]
    return f"{measured.n:,}", code(measured.protocol), "; ".join(doubts)


def _dtype(facts: CardFacts) -> str:
    base = facts.plan.base
    if base is None:
        return ""
    return f"{code(base.dtype)}{f', base in {code(base.quantisation)}' if base.quantisation else ''}"


def _summary(facts: CardFacts) -> str:
    matrix = facts.retention
    if matrix.rows != (BASE, *(phase.name for phase in facts.phases)):
        return ""  # of a matrix with other rows, the figures are of more than this stack
    figures = [(title, getattr(matrix, name), what) for name, title, what in _FIGURES]
    rows = [
        [title, f"{value:+.2f}" if title != "ACC" else figure(value), what]
        for title, value, what in figures
        if value is not None
    ]
    return table(("figure", "value", "what it says"), rows) if rows else ""


def _contracts(facts: CardFacts) -> Iterator[str]:
    for phase in facts.phases:
        told = [
            f"- {inert(contract['text'])}"
            for contract in facts.records.get(phase.name, {}).get("contracts") or ()
            if isinstance(contract, dict) and isinstance(contract.get("text"), str)
        ]
        if told:
            yield "\n".join([f"What {code(phase.name)} promised to keep:", "", *told])


def _proof(proof: Json) -> str:
    return (
        f"{codes(proof['adapters'])} against base and adapters apart, on {proof['probes']} texts: logits "
        f"differ by {proof['max_abs_logit_difference']:.2g} at most, of {proof['tolerance']:.2g} allowed, "
        f"KL {proof['max_kl']:.2g} nats at most."
    )
