"""``translate`` and ``dictionary``: pairs of English and Korean, in one direction or both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from medrecipe_plugins.templates._fields import completion_of, text_of
from pipeline_dsl.api import Provider, Row, Sample, hookimpl, option

_TRANSLATE = {
    "en_ko": ("translate question:\n", "\n\ntranslate:\n"),
    "ko_en": ("korean translate question:\n", "\n\nkorean translate:\n"),
}
_DICTIONARY = {
    "en_ko": ("word question:\n", "\n\nshort_answer:\n"),
    "ko_en": ("korean word question:\n", "\n\nkorean short_answer:\n"),
}


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
        source, target = ("english", "korean") if direction == "en_ko" else ("korean", "english")
        before, after = self.headings[direction]
        prompt = f"{before}{text_of(row, source, id)}{after}"
        return Sample(prompt=prompt, completion=completion_of(row, target, id), id=id)


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
