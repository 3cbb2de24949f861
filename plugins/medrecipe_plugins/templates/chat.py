"""``instruction``, ``question_answer`` and ``human_assistant``: a request and its response."""

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


@dataclass(frozen=True, slots=True)
class Instruction:
    """System and user turns; the assistant's turn is the completion."""

    options: InstructionOptions
    fields: ClassVar[Sequence[str]] = ("instruction", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row, as chat turns."""
        turns = [Message(role="user", content=text_of(row, "instruction", id))]
        if self.options.system:
            turns.insert(0, Message(role="system", content=checked(self.options.system, "system", id)))
        return [
            Sample(prompt="", completion=completion_of(row, "response", id), messages=tuple(turns), id=id)
        ]

    def text(self) -> str:
        """The turns; the model's chat template is hashed with its tokenizer."""
        return f"system: {self.options.system}\nuser: {{instruction}}\nassistant: {{response}}"


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
    """Offer the three templates."""
    return [
        Provider(
            name="instruction",
            summary="a chat turn through the model's chat template; fields instruction, response",
            factory=Instruction,
            options=InstructionOptions,
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
