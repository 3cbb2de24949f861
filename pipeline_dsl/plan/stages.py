"""Stages of a phase: what each one trains on, how many steps it may take, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from pipeline_dsl.api.errors import GuardError
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.choose import Chosen
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.hooks import ALWAYS
from pipeline_dsl.plan.model import Estimate, MixPlan, PhasePlan, StagePlan
from pipeline_dsl.plan.steering import HeldBack
from pipeline_dsl.recipe.conditions import Condition
from pipeline_dsl.recipe.model import MixEntry, Phase, Recipe, Stage, Use
from pipeline_dsl.recipe.suggest import nearest, renamed

Row = TypeVar("Row", MixEntry, MixPlan)


class Desk(Protocol):
    """Resolves names and keeps findings."""

    findings: list[Diagnostic]

    def template(self, use: Use, templates: dict[str, Use], data: str) -> Chosen | None:
        """Choose a template for a data source."""


class StageReader:
    """Reads the stages of one recipe's phases."""

    def __init__(
        self, recipe: Recipe, desk: Desk, templates: dict[str, Use], metrics: Mapping[str, Chosen]
    ) -> None:
        self._desk = desk
        self._templates = templates
        self._metrics = metrics
        self._tasks = [t.name.name for t in recipe.tasks]
        self._held_back = HeldBack(recipe)

    def read(self, phase: Phase) -> tuple[StagePlan, ...]:
        """Return a phase's stages with their templates chosen."""
        return tuple(self._stage(stage, phase.mix) for stage in phase.stages)

    def _stage(self, stage: Stage, mix: Sequence[MixEntry]) -> StagePlan:
        template = None
        if stage.template is not None and mix:
            template = self._desk.template(stage.template, self._templates, _main(mix).data.name)
        names: tuple[str, ...] = ()
        if stage.until is not None:
            names = self._scores(stage.until)
            what = f"the stage `{stage.name.name}`"
            self._desk.findings += self._held_back.of_condition(stage.until, what)
        return StagePlan(
            name=stage.name.name,
            template=template.ref if template else None,
            samples=stage.samples,
            until=stage.until.text if stage.until else None,
            tasks=names,
            at_most=stage.at_most,
        )

    def _scores(self, until: Condition) -> tuple[str, ...]:
        """The tasks by which a condition goes; names that are no score are reported."""
        details = {f"{task}.{d}": task for task, c in self._metrics.items() for d in c.made.details}
        known = {task: task for task in self._tasks} | details
        found = []
        for ref in until.names:
            task = ref.name.partition(".")[0]
            if ref.name in known:
                found.append(known[ref.name])
            elif ref.name in ALWAYS:
                self._desk.findings.append(
                    Diagnostic(
                        code=PlanCode.UNTIL_NAME.code,
                        message=f"`until` goes by scores of tasks, and `{ref.name}` is none",
                        span=ref.span,
                        help="bind `stop` to it in `hooks`, or name one of " + ", ".join(known),
                    )
                )
            elif task not in self._tasks or task in self._metrics:
                near = nearest(ref.name, tuple(known))
                self._desk.findings.append(
                    Diagnostic(
                        code=PlanCode.CONDITION_NAME.code,
                        message=f"nothing computes `{ref.name}`",
                        span=ref.span,
                        help=(f"did you mean `{near}`? " if near else "") + "scores: " + ", ".join(known),
                        fixes=renamed(ref.span, ref.name, known),
                    )
                )
        return tuple(dict.fromkeys(found))


def of_stage(phase: PhasePlan, stage: StagePlan) -> PhasePlan:
    """A phase as one of its stages trains it.

    The stage's template takes the place of that of every row of the main source: the data of the row with the
    largest weight, the first of several. ``samples`` bounds the same rows. All others, replay, stay.
    """
    main = _main(phase.mix).data
    return replace(
        phase, mix=tuple(_row(entry, stage) if entry.data == main else entry for entry in phase.mix)
    )


def with_estimate(phase: PhasePlan, known: Estimate) -> PhasePlan:
    """A phase with what it will cost; its stages, if it has any, with theirs.

    Raises:
        GuardError: nothing is left for a stage.
    """
    if not phase.stages or known.steps is None:
        return replace(phase, estimate=known)
    own = budgets(phase, known.steps)
    stages = tuple(replace(stage, steps=n) for stage, n in zip(phase.stages, own, strict=True))
    return replace(phase, stages=stages, estimate=replace(known, steps=sum(own)))


def budgets(phase: PhasePlan, steps: int, *, used: int = 0, start: int = 0) -> tuple[int, ...]:
    """Steps that each stage from ``start`` on has if each takes all that it may.

    Args:
        phase: a phase with stages.
        steps: of the whole phase.
        used: steps that the stages before took.
        start: index of the first stage that is wanted.

    Raises:
        GuardError: nothing is left for a stage.
    """
    found, left = [], steps - used
    for stage in phase.stages[start:]:
        own = left if stage.at_most is None else min(left, _bound(stage.at_most, steps))
        if own < 1:
            raise GuardError(
                f"of the {steps} steps of the phase `{phase.name}` none is left for its stage `{stage.name}`",
                code="MR486",
                help="make `at_most` of the stages before it smaller, or train for more epochs or steps",
            )
        found.append(own)
        left -= own
    return tuple(found)


def _bound(at_most: float, steps: int) -> int:
    return int(at_most) if at_most >= 1 else max(1, round(at_most * steps))


def _row(entry: MixPlan, stage: StagePlan) -> MixPlan:
    limits = [n for n in (entry.limit, stage.samples) if n is not None]
    return replace(entry, template=stage.template or entry.template, limit=min(limits) if limits else None)


def _main(mix: Sequence[Row]) -> Row:
    """The row with the largest weight, the first of several."""
    return max(mix, key=lambda entry: entry.weight)
