"""``instruction``, ``alpaca``, ``question_answer`` and ``human_assistant``: a request and its response."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from medrecipe_plugins.templates._fields import checked, completion_of, text_of
from pipeline_dsl.api import MedrecipeError, Message, NoOptions, Provider, Row, Sample, hookimpl, option


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
    asks: ClassVar[Sequence[str]] = ("instruction",)
    takes_turns: ClassVar[bool] = True
    stops: ClassVar[Sequence[str]] = ()

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return _FIELDS if self.options.input else ("instruction", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row, as chat turns."""
        more = _input_of(row, id) if self.options.input else ""
        asked = self._asked(row, more, (), id)
        return [replace(asked, completion=completion_of(row, "response", id), id=id)]

    def read(self, text: str) -> Row:
        """What a user says."""
        return {"instruction": text}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:
        """A user's turn after earlier ones; a system turn among these stands for the recipe's own."""
        return self._asked(row, _more(row, wanted=self.options.input), [_turn(t) for t in turns], "")

    def _asked(self, row: Row, more: str, turns: Sequence[Message], id: str) -> Sample:
        request = text_of(row, "instruction", id) + (f"\n{more}" if more else "")
        said = [*turns, Message(role="user", content=request)]
        if self.options.system and not any(turn.role == "system" for turn in said):
            said.insert(0, Message(role="system", content=checked(self.options.system, "system", id)))
        return Sample(prompt="", completion="", messages=tuple(said))

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
    asks: ClassVar[Sequence[str]] = ("instruction",)
    takes_turns: ClassVar[bool] = False
    stops: ClassVar[Sequence[str]] = ("\n### Instruction:", "\n### Input:")

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return _FIELDS if self.options.input else ("instruction", "response")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row."""
        asked = self._asked(row, _input_of(row, id) if self.options.input else "", id)
        return [replace(asked, completion=completion_of(row, "response", id), id=id)]

    def read(self, text: str) -> Row:
        """An instruction without an input."""
        return {"instruction": text}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The prompt of an instruction, with its input where the row has one."""
        return self._asked(row, _more(row, wanted=self.options.input), "")

    def _asked(self, row: Row, more: str, id: str) -> Sample:
        prompt = _alpaca(text_of(row, "instruction", id), more)
        turns = (Message(role="user", content=prompt),) if self.options.chat else ()
        return Sample(prompt="" if turns else prompt, completion="", messages=turns)

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


def _more(row: Row, *, wanted: bool) -> str:
    """The ``input`` of what is asked, where it is wanted and there."""
    return _input_of(row, "") if wanted and "input" in row else ""


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
    takes_turns: ClassVar[bool] = False
    stops: ClassVar[Sequence[str]] = ("\n### Context", "\n### Question", "\n### Response")

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return (*self.asks, "response")

    @property
    def asks(self) -> Sequence[str]:
        """The columns of a prompt."""
        return ("context", "question") if self.options.context else ("question",)

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row."""
        completion = completion_of(row, "response", id)
        return [Sample(prompt=self._prompt(row, id), completion=completion, id=id)]

    def read(self, text: str) -> Row:
        """A question; with a context, that stands before it, with an empty line between them."""
        if not self.options.context:
            return {"question": text}
        context, _, question = text.strip().rpartition("\n\n")
        if not context:
            raise MedrecipeError(
                "this template asks a question about a context",
                help="write the context, an empty line, and the question below it",
                code="MR266",
            )
        return {"context": context, "question": question}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The question under its headings."""
        return Sample(prompt=self._prompt(row, ""), completion="")

    def _prompt(self, row: Row, id: str) -> str:
        above = "".join(f"### {name.title()}\n{text_of(row, name, id)}\n\n" for name in self.asks)
        return f"{above}### Response\n"

    def text(self) -> str:
        """The headings."""
        return "\n\n".join(f"### {name.title()}\n{{{name}}}" for name in self.fields)


@dataclass(frozen=True, slots=True)
class HumanAssistant:
    """``Human: … Assistant:``."""

    options: NoOptions
    fields: ClassVar[Sequence[str]] = ("instruction", "response")
    asks: ClassVar[Sequence[str]] = ("instruction",)
    takes_turns: ClassVar[bool] = True
    stops: ClassVar[Sequence[str]] = ("\nHuman:",)

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row. The space after ``Assistant:`` belongs to the completion, as in tokens."""
        response = completion_of(row, "response", id)
        prompt = _human(text_of(row, "instruction", id))
        return [Sample(prompt=prompt, completion=f" {response}", answer=response, id=id)]

    def read(self, text: str) -> Row:
        """What the human says."""
        return {"instruction": text}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:
        """The human's turn after earlier ones. A system turn was never taught: its text stands at the top."""
        before = "".join(_spoken(_turn(turn)) for turn in turns)
        return Sample(prompt=before + _human(text_of(row, "instruction", "")), completion="")

    def text(self) -> str:
        """The two speakers."""
        return "Human: {instruction}\n\nAssistant: {response}"


def _human(text: str) -> str:
    return f"Human: {text}\n\nAssistant:"


def _spoken(turn: Message) -> str:
    text = turn.content.strip()
    return {"user": _human(text), "assistant": f" {text}\n\n", "system": f"{text}\n\n"}[turn.role]


def _turn(turn: Message) -> Message:
    """An earlier turn, unless it holds a control token."""
    return replace(turn, content=checked(turn.content, turn.role, ""))


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
