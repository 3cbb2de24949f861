"""The recipe's hooks in one phase: which actions an event sets off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_dsl.api.contracts import Action, Controls
from pipeline_dsl.api.events import Event, IterationCompleted, IterationStarted, TrainingEvent
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.plan.border import named, title
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import HookPlan
from pipeline_dsl.recipe.conditions import Condition, parse_condition
from pipeline_dsl.registry import Catalog

Json = dict[str, Any]


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

    @property
    def title(self) -> str:
        """What messages call the action."""
        return title(self.plan.do)

    @property
    def remembers(self) -> bool:
        """Whether the action remembers something between events."""
        return hasattr(self.action, "state")

    def remembered(self) -> Any:
        """What it remembers, as JSON gives it back."""
        action: Any = self.action
        with named(self.title, "its state"):
            return json.loads(json.dumps(action.state()))

    def recall(self, state: Any) -> None:
        """Give it back what it remembered."""
        action: Any = self.action
        with named(self.title, "its restore"):
            action.restore(state)

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
                with named(binding.title, event.name):
                    binding.action.act(event, values, controls)

    def state(self) -> list[Json]:
        """What has to be known to go on, for JSON: each hook's counts, and what its action remembers.

        Raises:
            MedrecipeError: an action failed, or remembers what JSON cannot hold; the message names it.
        """
        return [
            {"seen": b.seen, "streak": b.streak} | ({"action": b.remembered()} if b.remembers else {})
            for b in self._bindings
        ]

    def go_on(self, states: Sequence[Json]) -> None:
        """Go on from what ``state`` gave for the same hooks.

        Raises:
            MedrecipeError: an action cannot take back what it remembered; the message names it.
            ValueError: it is of other hooks.
        """
        for binding, state in zip(self._bindings, states, strict=True):
            binding.seen, binding.streak = state["seen"], state["streak"]
            if binding.remembers and "action" in state:
                binding.recall(state["action"])


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
