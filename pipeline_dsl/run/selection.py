"""Which phases a run trains and which it takes over from earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.run import reuse
from pipeline_dsl.run.request import RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A phase of a run."""

    phase: PhasePlan
    may_train: bool
    """False for one that was not asked for: those that were stand on it."""
    may_reuse: bool
    """Whether a finished phase of the same fingerprint may stand in for it."""


def select(plan: Plan, request: RunRequest) -> tuple[Choice, ...]:
    """Choose the phases of a run, in order.

    Raises:
        MedrecipeError: an asked-for phase is not in the recipe, or what it stands on is not finished.
    """
    asked = _asked(plan, request)
    needed = _with_parents(plan, asked)
    project = request.runs / plan.project
    choices = []
    for phase in (p for p in plan.phases if p.name in needed):
        wanted = phase.name in asked
        if not wanted and reuse.find(phase, project) is None:
            raise UnfinishedPhaseError(phase.name)
        choices.append(Choice(phase=phase, may_train=wanted, may_reuse=not (wanted and request.fresh)))
    return tuple(choices)


def _asked(plan: Plan, request: RunRequest) -> frozenset[str]:
    names = [p.name for p in plan.phases]
    for name in (*request.only, *([request.start] if request.start else [])):
        if name not in names:
            raise UnknownPhaseError(name, names)
    if request.only:
        return frozenset(request.only)
    return frozenset(names[names.index(request.start) :] if request.start else names)


def _with_parents(plan: Plan, asked: frozenset[str]) -> frozenset[str]:
    """The asked-for phases and all that they stand on."""
    needed = set(asked)
    for phase in reversed(plan.phases):
        if phase.name in needed:
            needed |= set(phase.parents)
    return frozenset(needed)


class UnknownPhaseError(MedrecipeError):
    """A phase was asked for that the recipe does not have (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.UNKNOWN_PHASE.code

    def __init__(self, name: str, names: Sequence[str]) -> None:
        super().__init__(f"the recipe has no phase `{name}`", help="its phases are " + ", ".join(names))


class UnfinishedPhaseError(MedrecipeError):
    """A phase that is needed, and was not asked for, cannot be taken over (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.PHASE_NOT_FINISHED.code

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the phase `{name}`, on which the asked-for ones stand, has no finished run to reuse",
            help=f"run it first: leave out --phase and --from, or add --phase {name}",
        )
