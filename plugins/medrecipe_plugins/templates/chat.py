"""``instruction``, ``alpaca``, ``question_answer`` and ``human_assistant``: a request and its response."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.templates._fields import checked, completion_of, text_of
from pipeline_dsl.api import Message, NoOptions, Provider, Row, Sample, hookimpl, option


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionOptions:
    """Instructions through the model's own chat template."""

    system: str = option("", doc="system prompt; empty for none")
    input: bool = option(
        default=False, doc="whether rows have an `input`, which may be empty, on a line after the instruction"
    )


@dataclass(frozen=True, slots=True)
class Instruction:
    """System and user turns; the assistant's turn is the completion."""

    options: InstructionOptions

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return _FIELDS if self.options.input else ("instruction", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row, as chat turns."""
        request = text_of(row, "instruction", id)
        if self.options.input and (more := _input_of(row, id)):
            request = f"{request}\n{more}"
        turns = [Message(role="user", content=request)]
        if self.options.system:
            turns.insert(0, Message(role="system", content=checked(self.options.system, "system", id)))
        return [
            Sample(prompt="", completion=completion_of(row, "response", id), messages=tuple(turns), id=id)
        ]

    def text(self) -> str:
        """The turns; the model's chat template is hashed with its tokenizer."""
        more = "\n{input}" if self.options.input else ""
        return f"system: {self.options.system}\nuser: {{instruction}}{more}\nassistant: {{response}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaOptions:
    """The prompt of Stanford Alpaca (Taori et al. 2023)."""

    input: bool = option(
        default=True, doc="whether rows have an `input`; where it is empty, the shorter prompt stands"
    )
    chat: bool = option(default=False, doc="put the prompt into a user's turn of the model's chat template")


@dataclass(frozen=True, slots=True)
class Alpaca:
    """``### Instruction:``, ``### Input:``, ``### Response:`` under one sentence that says what they are."""

    options: AlpacaOptions

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return _FIELDS if self.options.input else ("instruction", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row."""
        more = _input_of(row, id) if self.options.input else ""
        prompt = _alpaca(text_of(row, "instruction", id), more)
        response = completion_of(row, "response", id)
        turns = (Message(role="user", content=prompt),) if self.options.chat else ()
        return [Sample(prompt="" if turns else prompt, completion=response, messages=turns, id=id)]

    def text(self) -> str:
        """Both prompts, and whether they are turns."""
        longer = _alpaca("{instruction}", "{input}") if self.options.input else ""
        return "\x00".join([_alpaca("{instruction}", ""), longer, "chat" if self.options.chat else ""])


_FIELDS = ("instruction", "input", "response")


def _input_of(row: Row, id: str) -> str:
    """The text of ``input``; "" where it is null, empty or white space."""
    value = row.get("input")
    blank = value is None or (isinstance(value, str) and not value.strip())
    return "" if blank and "input" in row else text_of(row, "input", id)


def _alpaca(instruction: str, more: str) -> str:
    paired = ", paired with an input that provides further context" if more else ""
    given = f"### Input:\n{more}\n\n" if more else ""
    return (
        f"Below is an instruction that describes a task{paired}. "
        "Write a response that appropriately completes the request.\n\n"
        f"### Instruction:\n{instruction}\n\n{given}### Response:\n"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """Questions under headings."""

    context: bool = option(default=True, doc="whether rows have a `context` that stands before the question")


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """``### Context``, ``### Question``, ``### Response``."""

    options: QuestionOptions

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return ("context", "question", "response") if self.options.context else ("question", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row."""
        prompt = "".join(f"### {name.title()}\n{text_of(row, name, id)}\n\n" for name in self.fields[:-1])
        return [
            Sample(prompt=f"{prompt}### Response\n", completion=completion_of(row, "response", id), id=id)
        ]

    def text(self) -> str:
        """The headings."""
        return "\n\n".join(f"### {name.title()}\n{{{name}}}" for name in self.fields)


@dataclass(frozen=True, slots=True)
class HumanAssistant:
    """``Human: … Assistant:``."""

    options: NoOptions
    fields: ClassVar[Sequence[str]] = ("instruction", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row. The space after ``Assistant:`` belongs to the completion, as in tokens."""
        prompt = f"Human: {text_of(row, 'instruction', id)}\n\nAssistant:"
        response = completion_of(row, "response", id)
        return [Sample(prompt=prompt, completion=f" {response}", answer=response, id=id)]

    def text(self) -> str:
        """The two speakers."""
        return "Human: {instruction}\n\nAssistant: {response}"


@hookimpl
def medrecipe_templates() -> Sequence[Provider]:
    """Offer the templates."""
    return [
        Provider(
            name="instruction",
            summary="a chat turn through the model's chat template; fields instruction, response",
            factory=Instruction,
            options=InstructionOptions,
        ),
        Provider(
            name="alpaca",
            summary="Alpaca's prompt, with or without an input; fields instruction, input, response",
            factory=Alpaca,
            options=AlpacaOptions,
        ),
        Provider(
            name="question_answer",
            summary="### Context, ### Question, ### Response; fields context, question, response",
            factory=QuestionAnswer,
            options=QuestionOptions,
        ),
        Provider(
            name="human_assistant",
            summary="Human: … Assistant: …; fields instruction, response",
            factory=HumanAssistant,
        ),
    ]
