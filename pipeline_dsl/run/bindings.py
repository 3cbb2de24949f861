"""The recipe's hooks in one phase: which actions an event sets off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline_dsl.api.contracts import Action, Controls
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.events import Event, IterationCompleted, IterationStarted, TrainingEvent
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import HookPlan
from pipeline_dsl.recipe.conditions import Condition, parse_condition
from pipeline_dsl.registry import Catalog


@dataclass(slots=True)
class _Binding:
    """One hook with its counts."""

    plan: HookPlan
    action: Action
    condition: Condition | None
    seen: int = 0
    streak: int = 0

    def due(self, event: Event, values: Mapping[str, float]) -> bool:
        """Count the event; say whether the action is to act on it."""
        self.seen += 1
        if _count(event, self.seen) % self.plan.every:
            return False
        if self.condition is None:
            return True
        self.streak = self.streak + 1 if self.condition.holds(values) else 0
        return self.streak >= self.condition.repeats


class Bindings:
    """All hooks of a phase, in the order of the recipe."""

    def __init__(self, hooks: Sequence[HookPlan], catalog: Catalog) -> None:
        self._bindings = [_Binding(h, make(catalog, h.do), _condition(h.when)) for h in hooks]

    def tell(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:
        """Have the actions that are due act.

        Raises:
            MedrecipeError: an action failed; the message names it.
        """
        for binding in self._bindings:
            if binding.plan.on != event.name or not binding.due(event, values):
                continue
            try:
                binding.action.act(event, values, controls)
            except MedrecipeError:
                raise
            except Exception as error:  # the plugin border: the run ends under the action's name
                name = f"{binding.plan.do.plugin}/{binding.plan.do.name}"
                raise MedrecipeError(
                    f"the action `{name}` failed at {event.name}: {type(error).__name__}: {error}"
                ) from error


def _count(event: Event, seen: int) -> int:
    """How often the event came in this phase, counting what came before a resume."""
    if isinstance(event, IterationStarted):
        return event.step + 1
    if isinstance(event, IterationCompleted):
        return event.step
    if isinstance(event, TrainingEvent) and event.name.startswith("epoch_"):
        return event.epoch
    return seen


def _condition(text: str | None) -> Condition | None:
    if text is None:
        return None
    source = Source.of("plan", text)
    condition, _ = parse_condition(text, Span(source, 0, len(text)))
    return condition
