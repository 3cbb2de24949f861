"""Which phases a run trains and which it takes over from earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.run import reuse
from pipeline_dsl.run.request import RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A phase of this run. ``reused`` is the folder of the finished phase that stands in for it."""

    phase: PhasePlan
    reused: Path | None


def select(plan: Plan, request: RunRequest) -> tuple[Choice, ...]:
    """Choose the phases of a run, in order.

    Raises:
        MedrecipeError: an asked-for phase is not in the recipe, or what it stands on is not finished.
    """
    asked = _asked(plan, request)
    needed = _with_parents(plan, asked)
    project = request.runs / plan.project
    choices = []
    for phase in plan.phases:
        if phase.name not in needed:
            continue
        wanted = phase.name in asked
        found = None if wanted and request.fresh else reuse.find(phase, project)
        if not wanted and found is None:
            raise MedrecipeError(
                f"the phase `{phase.name}`, on which the asked-for ones stand, has no finished run to reuse",
                help=f"run it first: leave out --phase and --from, or add --phase {phase.name}",
                code="MR261",
            )
        choices.append(Choice(phase=phase, reused=found))
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

    exit_code = 2
    general_code = "MR262"

    def __init__(self, name: str, names: Sequence[str]) -> None:
        super().__init__(f"the recipe has no phase `{name}`", help="its phases are " + ", ".join(names))
