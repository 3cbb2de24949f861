"""``mcq`` and ``mcq_worked``: questions with five options, without and with worked reasoning."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from medrecipe_plugins.templates import _mcq_text as texts
from medrecipe_plugins.templates._fields import completion_of, text_of
from pipeline_dsl.api import DataError, Message, Provider, Row, Sample, hookimpl, option

_QUESTION = ("question", *texts.LETTERS)
_REASONING = ("translation", *texts.SECTIONS)
_NUMBERS, _CIRCLED = ("1", "2", "3", "4", "5"), "①②③④⑤"
_CHOICES = tuple(texts.answer_text(letter) for letter in texts.LETTERS)
"""What a likelihood scorer compares: whole completions, whose common beginning cancels."""
_SHAPE = {name: f"{{{name}}}" for name in (*_QUESTION, *_REASONING, "answer")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Five options A to E and an answer."""

    answers: Literal["letters", "numbers"] = option(
        "letters", doc="how rows name the answer: A to E (or ① to ⑤), or 1 to 5, where 1 is A"
    )
    repeated_options: Literal["error", "allow"] = option(
        "error", doc="what becomes of a question of which two options are the same text, one of them right"
    )


def answer_letter(value: object, id: str, answers: str = "letters") -> str:
    """Return ``A`` … ``E`` for a letter of either case or ①–⑤, with white space around it or not.

    Plain numbers are taken only where the recipe says so: whether they count from 0 or from 1 is not guessed.

    Raises:
        DataError: MR511 it is none of the options; MR514 it is missing.
    """
    if value is None:
        raise DataError("field 'answer' is missing", code="MR514", place=id)
    written = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    mark = unicodedata.normalize("NFKC", written).upper()
    if mark in texts.LETTERS:
        return mark
    number = mark in _NUMBERS
    if number and (answers == "numbers" or written in _CIRCLED):
        return texts.LETTERS[_NUMBERS.index(mark)]
    ask = "write `{use: mcq, answers: numbers}` if 1 stands for A" if number else "write a letter A to E"
    raise DataError("the answer is none of the options A to E", code="MR511", place=id, help=ask)


@dataclass(frozen=True, slots=True)
class Mcq:
    """Learns the letter alone."""

    options: Options
    fields: ClassVar[Sequence[str]] = (*_QUESTION, "answer")
    asks: ClassVar[Sequence[str]] = _QUESTION
    takes_turns: ClassVar[bool] = False
    stops: ClassVar[Sequence[str]] = ()

    def read(self, text: str) -> Row:
        """A question and its options, as they stand in exams."""
        return texts.read_question(text)

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The question with its options."""
        prompt = texts.question_text({name: text_of(row, name, "") for name in _QUESTION})
        return Sample(prompt=prompt, completion="", choices=_CHOICES)

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a question; its choices are the five possible completions."""
        letter = answer_letter(row.get("answer"), id, self.options.answers)
        prompt = texts.question_text(_question(row, id, letter, self.options))
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

    options: Options
    fields: ClassVar[Sequence[str]] = (*_QUESTION, *_REASONING, "answer")
    asks: ClassVar[Sequence[str]] = _QUESTION
    takes_turns: ClassVar[bool] = False
    stops: ClassVar[Sequence[str]] = ("\nquestion:\n", "\nexample:\n")

    def read(self, text: str) -> Row:
        """A question and its options, as they stand in exams."""
        return texts.read_question(text)

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The question with its options, after the worked example."""
        fields = {name: text_of(row, name, "") for name in _QUESTION}
        return Sample(prompt=_worked_prompt(fields), completion="")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a question. It has no choices: an answer before its reasoning is another question."""
        letter = answer_letter(row.get("answer"), id, self.options.answers)
        reasoning = {name: completion_of(row, name, id) for name in _REASONING}
        completion = texts.worked_text(reasoning | {"answer": letter})
        prompt = _worked_prompt(_question(row, id, letter, self.options))
        return [Sample(prompt=prompt, completion=completion, answer=letter, id=id)]

    def text(self) -> str:
        """The prompt, its worked example included, and the completion with their fields' names."""
        return _worked_prompt(_SHAPE) + texts.worked_text(_SHAPE)


def _question(row: Row, id: str, answer: str, options: Options) -> dict[str, str]:
    """The question and its options; DataError (MR551) where the right one stands there twice."""
    fields = {name: text_of(row, name, id) for name in _QUESTION}
    same = [name for name in texts.LETTERS if _bare(fields[name]) == _bare(fields[answer])]
    if len(same) > 1 and options.repeated_options == "error":
        message = f"the options {' and '.join(same)} are the same text, and {answer} is the answer"
        help_ = "leave the row out with `filter`, or write `repeated_options: allow` beside the template"
        raise DataError(message, code="MR551", place=id, help=help_)
    return fields


def _bare(text: str) -> str:
    """A text as options are compared: signs such as + and - stay, since they carry meaning."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


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
            options=Options,
        ),
        Provider(
            name="mcq_worked",
            summary="the same with worked reasoning; fields also translation, facts … evaluation",
            factory=McqWorked,
            options=Options,
        ),
    ]
