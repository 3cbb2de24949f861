"""What in a plan goes by scores, and so cannot be done in a run that takes none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.events import EvaluationCompleted
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.hashing import WATCHING
from pipeline_dsl.plan.model import HookPlan, PhasePlan, Plan
from pipeline_dsl.recipe.conditions import parse_condition

_NAMED = 3
"""Things that a message names at most."""


class NeedsScoresError(MedrecipeError):
    """Something goes by scores, and none are to be taken (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.NEEDS_SCORES.code


def refuse_unscored(plan: Plan) -> None:
    """Raise NeedsScoresError where a contract, a stage or an action goes by scores."""
    found = list(dict.fromkeys(what for phase in plan.phases for what in _by_scores(plan, phase)))
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise NeedsScoresError(
            f"without scores there is nothing to go by for {', '.join(found[:_NAMED])}{more}",
            help="leave --no-evaluate out, or take these out of the recipe",
        )


def _by_scores(plan: Plan, phase: PhasePlan) -> Iterator[str]:
    if phase.retain:
        yield f"`retain` of the phase `{phase.name}`"
    for stage in phase.stages:
        if stage.until is not None:
            yield f"`until` of the stage `{stage.name}`"
    for hook in phase.hooks:
        if f"{hook.do.plugin}/{hook.do.name}" not in WATCHING and _listens(plan, hook):
            yield f"the action `{hook.do.name}`"


def _listens(plan: Plan, hook: HookPlan) -> bool:
    """Whether a hook waits for scores, asks for them in its condition, or names them to its action."""
    names = [word for value in hook.do.options.values() for word in _words(value)]
    if hook.when is not None:
        condition, _ = parse_condition(hook.when, Span(Source.of("plan", hook.when), 0, len(hook.when)))
        names += [ref.name for ref in condition.names] if condition else []
    tasks = [task.name for task in plan.tasks]
    scores = any(name == task or name.startswith(f"{task}.") for name in names for task in tasks)
    return scores or hook.on == EvaluationCompleted.name


def _words(value: object) -> Iterator[str]:
    for word in value if isinstance(value, list | tuple) else (value,):
        if isinstance(word, str):
            yield word
