"""The recipe's hooks in one phase: which actions an event sets off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_dsl.api.contracts import Action, Controls
from pipeline_dsl.api.events import Event, IterationCompleted, IterationStarted, TrainingEvent
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import HookPlan
from pipeline_dsl.recipe.conditions import Condition, parse_condition
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.listeners import named

Counts = list[list[int]]


@dataclass(slots=True)
class _Binding:
    """One hook with its counts."""

    plan: HookPlan
    action: Action
    condition: Condition | None
    seen: int = 0
    """How often its event came, where the event does not say so itself."""
    streak: int = 0
    """How often in a row its condition held, where it has to hold several times."""

    def due(self, event: Event, values: Mapping[str, float]) -> bool:
        """Count the event; say whether the action is to act on it."""
        count = _count_of(event)
        if count is None:
            self.seen += 1
            count = self.seen
        if count % self.plan.every:
            return False
        if self.condition is None:
            return True
        holds = self.condition.holds(values)
        if self.condition.repeats == 1:
            return holds
        self.streak = self.streak + 1 if holds else 0
        return self.streak >= self.condition.repeats


class Bindings:
    """Hooks in the order of the recipe."""

    def __init__(self, hooks: Sequence[HookPlan], catalog: Catalog) -> None:
        self._bindings = [_Binding(h, make(catalog, h.do), _condition(h.when)) for h in hooks]

    def tell(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:
        """Have the actions that are due act.

        Raises:
            MedrecipeError: an action failed; the message names it.
        """
        for binding in self._bindings:
            if binding.plan.on == event.name and binding.due(event, values):
                do = binding.plan.do
                with named(f"the action `{do.plugin}/{do.name}`", event.name):
                    binding.action.act(event, values, controls)

    @property
    def counts(self) -> Counts:
        """What has to be known to go on counting, for JSON."""
        return [[b.seen, b.streak] for b in self._bindings]

    def go_on(self, counts: Any) -> None:
        """Go on from counts of the same hooks."""
        for binding, (seen, streak) in zip(self._bindings, counts, strict=True):
            binding.seen, binding.streak = seen, streak


def _count_of(event: Event) -> int | None:
    """How often the event came in this phase, whatever was before a resume; None where it does not say."""
    if isinstance(event, IterationStarted):
        return event.step + 1
    if isinstance(event, IterationCompleted):
        return event.step
    if isinstance(event, TrainingEvent) and event.name.startswith("epoch_"):
        return event.epoch
    return None


def _condition(text: str | None) -> Condition | None:
    if text is None:
        return None
    source = Source.of("plan", text)
    condition, _ = parse_condition(text, Span(source, 0, len(text)))
    return condition
