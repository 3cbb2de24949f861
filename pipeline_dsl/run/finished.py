"""A finished run in use: its stacks, verified, on as few bases as they allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from pipeline_dsl.api.contracts import LanguageModel
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.generation import BASE
from pipeline_dsl.api.records import StackLayer
from pipeline_dsl.api.trained import Sharing
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.estimate import identify
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import history
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.resume import refuse_other_base, stored_plan
from pipeline_dsl.run.stack import attach, layers_of, load_base

BASE_NAME = "base"
"""What people call the untouched base."""
_DONE = frozenset({"finished", "reused", "rejected"})


class UnknownStackError(MedrecipeError):
    """The run left no stack of that name (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.UNKNOWN_STACK.code


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStack:
    """What a phase left: a stack that can be used; or the untouched base."""

    name: str
    """The phase's name, or ``base``."""
    phase: PhasePlan | None
    layers: tuple[StackLayer, ...]
    """Bottom first; none of the base."""
    foundation: str
    """Stacks of one foundation can be on one base together (``api.Sharing``)."""
    rejected: bool = False
    """Whether it broke a retention contract."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """The adapters that its phase trained."""
        return self.phase.trained if self.phase else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run whose finished stacks are whole and stand on the base that is here."""

    plan: Plan
    catalog: Catalog
    folder: RunFolder
    stacks: tuple[FinishedStack, ...]
    """In the order of the phases; at least one."""
    base: FinishedStack

    @property
    def last(self) -> FinishedStack:
        """What the last finished phase left: the run's result."""
        return self.stacks[-1]

    def find(self, name: str | None) -> FinishedStack:
        """Return a stack by its phase's name or an adapter's, the last one by the recipe's or None.

        Raises:
            UnknownStackError: there is none, or its phase is not finished.
        """
        if name is None or name == "":
            return self.last
        by_name = {self.plan.recipe: self.last, BASE_NAME: self.base}
        by_name |= {adapter: stack for stack in self.stacks for adapter in stack.adapters}
        by_name |= {stack.name: stack for stack in self.stacks}
        if name not in by_name:
            raise self._unknown(name, list(by_name))
        return by_name[name]

    def groups(self, stacks: Sequence[FinishedStack]) -> tuple[tuple[FinishedStack, ...], ...]:
        """Split stacks into those that can be on one base together, in the order of the first of each."""
        found: dict[str, list[FinishedStack]] = {}
        for stack in stacks:
            found.setdefault(stack.foundation, []).append(stack)
        return tuple(tuple(group) for group in found.values())

    def load(self, stacks: Sequence[FinishedStack]) -> LoadedStacks:
        """Load the base once and put stacks of one foundation on it.

        Raises:
            MedrecipeError: they do not share a foundation, do not fit or are damaged, or the machine lacks
                something.
        """
        model = load_base(self.plan, self.catalog, self.plan.seed)
        try:
            return LoadedStacks(model=model, names=self._put_on(model, [s for s in stacks if s.layers]))
        except BaseException:
            model.close()
            raise

    def _put_on(self, model: LanguageModel, stacks: Sequence[FinishedStack]) -> Mapping[str, str]:
        if not stacks:
            return {BASE_NAME: BASE}
        top = stacks[0].layers[-1]
        if not isinstance(top.adapter, Sharing):
            ((stack),) = stacks
            attach(self.plan, model, list(stack.layers))
            return {stack.name: BASE}
        with working(self.plan.adapters[top.name], "attach_several"):
            top.adapter.attach_several(model, {stack.name: stack.layers for stack in stacks})
        base = {BASE_NAME: BASE} if stacks[0].foundation == "" else {}
        return base | {stack.name: stack.name for stack in stacks}

    def _unknown(self, name: str, names: list[str]) -> UnknownStackError:
        unfinished = {p.name for p in self.plan.phases} - {s.name for s in self.stacks}
        if name in unfinished:
            message = f"the phase `{name}` of the run {self.folder.id} is not finished"
        else:
            message = f"the run {self.folder.id} has no adapter or phase `{name}`"
        near = get_close_matches(name, names, n=1)
        there = ", ".join([*(s.name for s in self.stacks), BASE_NAME])
        return UnknownStackError(
            message, help=(f"did you mean `{near[0]}`? " if near else "") + f"it has {there}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStacks:
    """A base in memory with stacks on it."""

    model: LanguageModel
    names: Mapping[str, str]
    """By the names of stacks, what ``Generation.stack`` is to be."""

    def close(self) -> None:
        """Free the memory."""
        self.model.close()


def open_run(
    runs: Path, name: str, catalog: Catalog, *, device: str | None = None, say: Callable[[str], None]
) -> FinishedRun:
    """Open a finished run: every file of its stacks is held against its manifest, and the base too.

    Args:
        runs: the folder of all runs.
        name: an id, or as much of its beginning as is unique; or the path of a run's folder.
        catalog: the plugins.
        device: another device than the run's own, on which the base has to come out the same.
        say: takes one line for the user.

    Raises:
        MedrecipeError: no such run, nothing finished, a damaged adapter, or a base that changed.
    """
    folder = RunFolder(history.locate_run(runs, name))
    plan = stored_plan(folder)
    plan = replace(plan, device=device or plan.device)
    refuse_other_base(plan, identified := identify(plan, catalog, say), folder)
    plan = replace(plan, device=identified.device)
    states = {phase.name: phase.status for phase in history.phases_of(folder.path)}
    done = [phase for phase in plan.phases if states.get(phase.name) in _DONE]
    if not done:
        raise MedrecipeError(
            f"the run {folder.id} has no finished phase", code=PlanCode.PHASE_NOT_FINISHED.code
        )
    stacks = tuple(_stack(plan, catalog, folder, phase, states[phase.name]) for phase in done)
    base = FinishedStack(name=BASE_NAME, phase=None, layers=(), foundation="")
    return FinishedRun(plan=plan, catalog=catalog, folder=folder, stacks=stacks, base=base)


def _stack(plan: Plan, catalog: Catalog, folder: RunFolder, phase: PhasePlan, status: str) -> FinishedStack:
    layers = tuple(layers_of(plan, catalog, folder, phase, trained=True))
    top = layers[-1]
    foundation = f"alone: {phase.name}"
    if isinstance(top.adapter, Sharing) and plan.base is not None:
        with working(plan.adapters[top.name], "foundation"):
            foundation = top.adapter.foundation(layers, plan.base)
    return FinishedStack(
        name=phase.name, phase=phase, layers=layers, foundation=foundation, rejected=status == "rejected"
    )
