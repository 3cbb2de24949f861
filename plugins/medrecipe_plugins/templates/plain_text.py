"""``plain_text``: documents as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.templates._fields import completion_of, question_of
from pipeline_dsl.api import Message, NoOptions, Provider, Row, Sample, hookimpl


@dataclass(frozen=True, slots=True)
class PlainText:
    """No prompt; the document is the completion, its end marked by the tokenizer's end mark."""

    options: NoOptions
    fields: ClassVar[Sequence[str]] = ("text",)
    asks: ClassVar[Sequence[str]] = ("text",)
    takes_turns: ClassVar[bool] = False
    stops: ClassVar[Sequence[str]] = ()

    def read(self, text: str) -> Row:
        """A text that is to go on, as it is."""
        return {"text": text}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The beginning of a document."""
        return Sample(prompt=question_of(row, "text"), completion="")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a document, white space at its ends included."""
        completion_of(row, "text", id)
        return [Sample(prompt="", completion=str(row["text"]), id=id)]

    def text(self) -> str:
        """The document alone."""
        return "{text}"


@hookimpl
def medrecipe_templates() -> Sequence[Provider]:
    """Offer the template."""
    return [Provider(name="plain_text", summary="a document as it is; field text", factory=PlainText)]
