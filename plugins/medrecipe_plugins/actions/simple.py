"""``log``, ``evaluate``, ``checkpoint`` and ``stop``: what a recipe can bind to an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_dsl.api import Controls, NoOptions, Provider, hookimpl, option

if TYPE_CHECKING:
    from pipeline_dsl.api.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """Score tasks now."""

    tasks: tuple[str, ...] = option((), doc="which; without any, those of the phases so far")


@dataclass(frozen=True, slots=True)
class Log:
    """Says where training is, in one line."""

    options: NoOptions

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:
        """Say step, loss and learning rate, as far as the event or the newest figures have them."""
        parts = [event.name]
        step, total = getattr(event, "step", None), getattr(event, "max_steps", None)
        if step is not None:
            parts.append(f"step {step}" if total is None else f"step {step}/{total}")
        for name, label, form in (
            ("loss", "loss", ".4f"),
            ("learning_rate", "lr", ".3g"),
            ("grad_norm", "norm", ".3g"),
        ):
            value = getattr(event, name, values.get(name))
            if value is not None:
                parts.append(f"{label} {value:{form}}")
        controls.say("  ".join(parts))


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Scores tasks."""

    options: EvaluateOptions

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:  # noqa: ARG002
        """Score the named tasks."""
        controls.evaluate(self.options.tasks)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Writes a checkpoint."""

    options: NoOptions

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:  # noqa: ARG002
        """Have one written after this step."""
        controls.checkpoint()


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends the phase's training."""

    options: NoOptions

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:  # noqa: ARG002
        """End it after this step; what was learned is kept."""
        controls.stop(f"stop at {event.name}")


@hookimpl
def medrecipe_actions() -> Sequence[Provider]:
    """Offer the actions."""
    return [
        Provider(name="log", summary="say step, loss and learning rate", factory=Log),
        Provider(name="evaluate", summary="score tasks now", factory=Evaluate, options=EvaluateOptions),
        Provider(name="checkpoint", summary="write a checkpoint after this step", factory=Checkpoint),
        Provider(name="stop", summary="end the phase's training after this step", factory=Stop),
    ]
