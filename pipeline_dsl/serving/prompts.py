"""From chat turns to the prompt of a stack's own template."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_dsl.api.generation import Generation
from pipeline_dsl.api.records import Message, Sample
from pipeline_dsl.run.asking import Question
from pipeline_dsl.serving.faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How an answer is to be written."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    """None draws one."""
    stops: tuple[str, ...] = ()


def prompt_of(question: Question, turns: Sequence[Message]) -> Sample:
    """Return the prompt of the last turn after the earlier ones.

    Raises:
        Fault: 400, the turns are in no order in which they can be asked.
        MedrecipeError: the template cannot be asked so.
    """
    for n, turn in enumerate(turns):
        if turn.role == "system" and n:
            raise _bad(n, "only the first message may be a system message")
    if turns[-1].role != "user":
        raise _bad(len(turns) - 1, "the last message has to be the user's")
    return question.of_text(turns[-1].content, turns[:-1])


def generation(id: str, stack: str, question: Question, sample: Sample, wish: Wish) -> Generation:
    """Return what the decoder is to write."""
    return Generation(
        id=id,
        sample=sample,
        stack=stack,
        max_new_tokens=wish.max_new_tokens,
        temperature=wish.temperature,
        top_p=wish.top_p,
        seed=secrets.randbits(32) if wish.seed is None else wish.seed,
        stops=(*question.stops, *wish.stops),
    )


def _bad(number: int, message: str) -> Fault:
    return Fault(400, message, code="invalid_messages", param=f"messages.{number}.role")
