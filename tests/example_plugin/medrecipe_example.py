"""A metric and an action, from outside of medrecipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline_dsl.api import Controls, Need, Observation, Provider, Score, hookimpl, option
from pipeline_dsl.api.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthOptions:
    """Mean length of the answers."""

    unit: str = option("characters", doc="`characters` or `words`")


class AnswerLength:
    """Mean length of what a model writes, with its range for an interval."""

    need = Need.COMPLETIONS
    higher_is_better = True
    max_new_tokens = 8
    details: Sequence[str] = ("longest",)

    def __init__(self, options: LengthOptions) -> None:
        self.options = options

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score at least one observation."""
        texts = [o.text or "" for o in observations]
        lengths = [len(t.split()) if self.options.unit == "words" else len(t) for t in texts]
        return Score(
            value=sum(lengths) / len(lengths),
            low=min(lengths),
            high=max(lengths),
            n=len(lengths),
            protocol=f"answer_length/{self.options.unit}",
            details={"longest": max(lengths)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GreetOptions:
    """Say something."""

    words: str = option("hello", doc="what to say")


class Greet:
    """Tells the user a line at an event."""

    def __init__(self, options: GreetOptions) -> None:
        self.options = options

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:
        """Say it."""
        controls.say(f"{self.options.words} from {event.name} after {len(values)} values")


@hookimpl
def medrecipe_metrics() -> Sequence[Provider]:
    """Offer ``answer_length``."""
    return [
        Provider(
            name="answer_length",
            summary="mean length of the answers",
            factory=AnswerLength,
            options=LengthOptions,
        )
    ]


@hookimpl
def medrecipe_actions() -> Sequence[Provider]:
    """Offer ``greet``."""
    return [Provider(name="greet", summary="say something", factory=Greet, options=GreetOptions)]
