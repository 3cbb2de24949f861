"""``mcq`` and ``mcq_worked``: questions with five options, without and with worked reasoning."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.templates import _mcq_text as texts
from medrecipe_plugins.templates._fields import completion_of, text_of
from pipeline_dsl.api import DataError, NoOptions, Provider, Row, Sample, hookimpl

_QUESTION = ("question", *texts.LETTERS)
_REASONING = ("translation", *texts.SECTIONS)
_CHOICES = tuple(texts.answer_text(letter) for letter in texts.LETTERS)
"""What a likelihood scorer compares: whole completions, whose common beginning cancels."""
_SHAPE = {name: f"{{{name}}}" for name in (*_QUESTION, *_REASONING, "answer")}


def answer_letter(value: object, id: str) -> str:
    """Return ``A`` … ``E`` for a letter of either case, 1–5 or ①–⑤, with white space around it or not.

    Zero-based numbers are not guessed: 0 is an error.

    Raises:
        DataError: MR511 it is none of the options; MR514 it is missing.
    """
    if value is None:
        raise DataError("field 'answer' is missing", code="MR514", place=id)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        mark = unicodedata.normalize("NFKC", str(value)).strip().upper()
        if mark in texts.LETTERS:
            return mark
        if mark in {"1", "2", "3", "4", "5"}:
            return texts.LETTERS[int(mark) - 1]
    message = "the answer is none of the options A to E"
    raise DataError(message, code="MR511", place=id, help="write a letter A to E, or a number 1 to 5")


@dataclass(frozen=True, slots=True)
class Mcq:
    """Learns the letter alone."""

    options: NoOptions
    fields: ClassVar[Sequence[str]] = (*_QUESTION, "answer")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a question; its choices are the five possible completions."""
        prompt = texts.question_text(_question(row, id))
        letter = answer_letter(row.get("answer"), id)
        return [
            Sample(
                prompt=prompt, completion=texts.answer_text(letter), answer=letter, choices=_CHOICES, id=id
            )
        ]

    def text(self) -> str:
        """The prompt and the completion with their fields' names."""
        return texts.question_text(_SHAPE) + texts.answer_text(_SHAPE["answer"])


@dataclass(frozen=True, slots=True)
class McqWorked:
    """Learns reasoning and letter, after one worked example."""

    options: NoOptions
    fields: ClassVar[Sequence[str]] = (*_QUESTION, *_REASONING, "answer")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a question. It has no choices: an answer before its reasoning is another question."""
        letter = answer_letter(row.get("answer"), id)
        reasoning = {name: completion_of(row, name, id) for name in _REASONING}
        completion = texts.worked_text(reasoning | {"answer": letter})
        return [
            Sample(prompt=_worked_prompt(_question(row, id)), completion=completion, answer=letter, id=id)
        ]

    def text(self) -> str:
        """The prompt, its worked example included, and the completion with their fields' names."""
        return _worked_prompt(_SHAPE) + texts.worked_text(_SHAPE)


def _question(row: Row, id: str) -> dict[str, str]:
    return {name: text_of(row, name, id) for name in _QUESTION}


def _worked_prompt(fields: dict[str, str]) -> str:
    example = texts.question_text(texts.WORKED_QUESTION) + texts.worked_text(texts.WORKED_COMPLETION)
    return f"example:\n{example}\n\nquestion:\n{texts.question_text(fields)}"


@hookimpl
def medrecipe_templates() -> Sequence[Provider]:
    """Offer both templates."""
    return [
        Provider(
            name="mcq",
            summary="five options, answered by a letter; fields question, A to E, answer",
            factory=Mcq,
        ),
        Provider(
            name="mcq_worked",
            summary="the same with worked reasoning; fields also translation, facts … evaluation",
            factory=McqWorked,
        ),
    ]
