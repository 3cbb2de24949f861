"""``conversation``: rows that are lists of turns, through the model's own chat template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from medrecipe_plugins.templates._fields import checked, text_of
from pipeline_dsl.api import DataError, Message, Provider, Row, Sample, hookimpl, option

_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system", "developer": "system", "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant",
}  # fmt: skip
_FORM = 'a turn is {"role": "user", "content": "…"} or {"from": "human", "value": "…"}'
_ORDER = "turns are: system or none, then user and assistant in turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Turns of a user and an assistant, perhaps after one of the system, as OpenAI or ShareGPT write them."""

    system: str = option("", doc="system prompt of the rows that have none; empty for none")
    row_system: bool = option(
        default=False, doc="whether rows have a `system`, which may be empty, beside their turns"
    )
    learn: Literal["each", "last"] = option(
        "each", doc="each answer, as a sample of its own after the turns before it, or the last one alone"
    )


@dataclass(frozen=True, slots=True)
class Conversation:
    """Answers of the assistant, each after all turns before it."""

    options: Options
    asks: ClassVar[Sequence[str]] = ("messages",)
    takes_turns: ClassVar[bool] = True
    stops: ClassVar[Sequence[str]] = ()

    @property
    def fields(self) -> Sequence[str]:
        """The columns that it needs."""
        return ("messages", "system") if self.options.row_system else ("messages",)

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample an answer; a second and later ones have their number behind the row's place."""
        turns = self._turns(row, id)
        if turns[-1].role != "assistant":
            message = "the conversation ends without an answer"
            raise DataError(message, code="MR514", place=id, help="take the last turn out, or the row")
        answers = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
        learned = answers[-1:] if self.options.learn == "last" else answers
        return [
            Sample(
                prompt="",
                completion=turns[at].content,
                messages=turns[:at],
                id=f"{id}#{number}" if number > 1 else id,
            )
            for number, at in enumerate(learned, start=1)
        ]

    def read(self, text: str) -> Row:
        """What a user says."""
        return {"messages": [{"role": "user", "content": text}]}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:
        """A row's turns up to its last question, after earlier ones."""
        said = [Message(role=t.role, content=checked(t.content, t.role, "")) for t in turns]
        own = self._turns(row, "")
        asked = own[:-1] if own[-1].role == "assistant" else own
        if any(turn.role == "system" for turn in said):
            asked = tuple(turn for turn in asked if turn.role != "system")
        elif asked[0].role == "system":
            said.insert(0, asked[0])
            asked = asked[1:]
        return Sample(prompt="", completion="", messages=(*said, *asked))

    def text(self) -> str:
        """The system prompt, and which answers are learned."""
        first = "{system}, else " if self.options.row_system else ""
        return f"system: {first}{self.options.system}\nturns as they are; learned: {self.options.learn}"

    def _turns(self, row: Row, id: str) -> tuple[Message, ...]:
        """The turns of a row in an order that they can have, or DataError (MR514)."""
        value = row.get("messages")
        if not isinstance(value, list) or not value:
            message = "field 'messages' is no list of turns"
            raise DataError(message, code="MR514", place=id, help=_FORM)
        turns = [_turn(item, number, id) for number, item in enumerate(value, start=1)]
        system = self._system(row, id)
        if system and turns[0].role != "system":
            turns.insert(0, Message(role="system", content=checked(system, "system", id)))
        spoken = turns[1:] if turns[0].role == "system" else turns
        for number, turn in enumerate(spoken):
            if turn.role != ("assistant" if number % 2 else "user"):
                message = f"a turn of the {turn.role} stands where none can"
                raise DataError(message, code="MR514", place=id, help=_ORDER)
        if not spoken:
            raise DataError("nobody asks anything", code="MR514", place=id, help=_ORDER)
        return tuple(turns)

    def _system(self, row: Row, id: str) -> str:
        """The row's own system prompt where it has one, else the recipe's."""
        value = row.get("system") if self.options.row_system else None
        blank = value is None or (isinstance(value, str) and not value.strip())
        return self.options.system if blank else text_of(row, "system", id)


def _turn(item: Any, number: int, id: str) -> Message:
    turn = item if isinstance(item, dict) else {}
    role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
    named = _ROLES.get(role) if isinstance(role, str) else None
    if named is None or not isinstance(content, str):
        what = "has no text" if named else "is of no known role"
        raise DataError(f"turn {number} {what}", code="MR514", place=id, help=_FORM)
    if not content.strip():
        code = "MR512" if named == "assistant" else "MR514"
        raise DataError(f"turn {number} is empty", code=code, place=id, help="leave the row out")
    return Message(role=named, content=checked(content, "messages", id).strip())


@hookimpl
def medrecipe_templates() -> Sequence[Provider]:
    """Offer the template."""
    return [
        Provider(
            name="conversation",
            summary="lists of turns through the model's chat template; field messages",
            factory=Conversation,
            options=Options,
        )
    ]
