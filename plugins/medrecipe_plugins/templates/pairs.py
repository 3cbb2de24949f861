"""``translate`` and ``dictionary``: pairs of English and Korean, in one direction or both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from medrecipe_plugins.templates._fields import completion_of, text_of
from pipeline_dsl.api import Message, Provider, Row, Sample, hookimpl, option

_TRANSLATE = {
    "en_ko": ("translate question:\n", "\n\ntranslate:\n"),
    "ko_en": ("korean translate question:\n", "\n\nkorean translate:\n"),
}
_DICTIONARY = {
    "en_ko": ("word question:\n", "\n\nshort_answer:\n"),
    "ko_en": ("korean word question:\n", "\n\nkorean short_answer:\n"),
}

_SOURCE = {"en_ko": "english", "ko_en": "korean"}
_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """English and Korean texts that mean the same."""

    direction: Literal["en_ko", "ko_en", "both"] = option(
        "en_ko", doc="from which language to which; `both` makes two samples a row"
    )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Asks for the other half of a pair, between two headings."""

    headings: Mapping[str, tuple[str, str]]
    options: Options
    fields: ClassVar[Sequence[str]] = ("english", "korean")
    takes_turns: ClassVar[bool] = False

    @property
    def asks(self) -> Sequence[str]:
        """The half that is given; none by name where it may be either."""
        return () if self.options.direction == "both" else (_SOURCE[self.options.direction],)

    @property
    def stops(self) -> Sequence[str]:
        """Headings of a next question."""
        return tuple(f"\n{before}" for before, _ in self.headings.values())

    def read(self, text: str) -> Row:
        """A term or sentence; where both directions were taught, one with Hangul is Korean."""
        if self.options.direction == "both":
            return {"korean" if _HANGUL.search(text) else "english": text}
        return {_SOURCE[self.options.direction]: text}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The given half under its heading; English where both halves are there and may be given."""
        direction = self.options.direction
        if direction == "both":
            direction = "ko_en" if row.get("english") is None and row.get("korean") is not None else "en_ko"
        return Sample(prompt=self._prompt(row, direction, ""), completion="")

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row, or two: English to Korean first."""
        if self.options.direction != "both":
            return [self._one(row, self.options.direction, id)]
        return [self._one(row, direction, f"{id}#{direction}") for direction in ("en_ko", "ko_en")]

    def text(self) -> str:
        """Headings of the directions that are made."""
        wanted = self.options.direction
        made = [d for d in self.headings if wanted in (d, "both")]
        return "\n".join("{}: {}{{source}}{}{{target}}".format(d, *self.headings[d]) for d in made)

    def _one(self, row: Row, direction: str, id: str) -> Sample:
        target = "korean" if direction == "en_ko" else "english"
        prompt = self._prompt(row, direction, id)
        return Sample(prompt=prompt, completion=completion_of(row, target, id), id=id)

    def _prompt(self, row: Row, direction: str, id: str) -> str:
        before, after = self.headings[direction]
        return f"{before}{text_of(row, _SOURCE[direction], id)}{after}"


def _translate(options: Options) -> Pairs:
    return Pairs(_TRANSLATE, options)


def _dictionary(options: Options) -> Pairs:
    return Pairs(_DICTIONARY, options)


@hookimpl
def medrecipe_templates() -> Sequence[Provider]:
    """Offer both templates."""
    return [
        Provider(
            name="translate",
            summary="a translation; fields english, korean",
            factory=_translate,
            options=Options,
        ),
        Provider(
            name="dictionary",
            summary="the term for a term of the other language; fields english, korean",
            factory=_dictionary,
            options=Options,
        ),
    ]
