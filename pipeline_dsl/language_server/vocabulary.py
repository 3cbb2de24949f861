"""The words that may stand in a recipe: its own, from its schema, and the options of providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline_dsl.api.options import schema_of
from pipeline_dsl.api.providers import DATA_WORDS, Kind
from pipeline_dsl.language_server.places import DEFAULTS, kind_at, plain_path
from pipeline_dsl.plan.wording import type_words, value_words
from pipeline_dsl.recipe.likes import LIKE, SECTIONS
from pipeline_dsl.recipe.paths import Step, Steps
from pipeline_dsl.recipe.profiles import READ_EARLY
from pipeline_dsl.recipe.schema import recipe_schema
from pipeline_dsl.recipe.uses import USE
from pipeline_dsl.registry import Catalog, Offer

Json = dict[str, Any]
UseAt = Callable[[Steps], str | None]
"""Which provider the block at a path names."""


@dataclass(frozen=True, slots=True)
class Word:
    """A key and what its value may be."""

    name: str
    schema: Json
    needed: bool = False
    provider: str | None = None
    """Whose option it is; None for a word of the language."""

    @property
    def type(self) -> str:
        """What its value may be, in words."""
        shown = _one_type(self.schema)
        return type_words(shown) if shown else "block"

    @property
    def default(self) -> str | None:
        """Its default as a recipe writes it; None where there is none."""
        return value_words(self.schema["default"]) if "default" in self.schema else None

    @property
    def doc(self) -> str:
        """What it does."""
        text = str(self.schema.get("description") or "")
        instead = self.schema.get("x-use-instead")
        return f"{text}\n\nDeprecated: {instead}" if instead else text

    @property
    def choices(self) -> tuple[str, ...]:
        """Its values, where they are few."""
        return tuple(dict.fromkeys(_choices(self.schema)))


@dataclass(frozen=True)
class Vocabulary:
    """The words of the language and of the providers of a catalog."""

    catalog: Catalog
    recipe: Json = field(default_factory=recipe_schema)

    def keys(self, steps: Steps, use_at: UseAt) -> tuple[Word, ...]:
        """The keys that may stand in the block at a path, or the columns of its row."""
        path = plain_path(steps)
        own = self._own(path, needed=path == ())
        if steps[:1] == ("profiles",):
            own = [word for word in own if word.name not in READ_EARLY]
        words = {word.name: word for word in own}
        for word in self._options(steps, use_at):
            words.setdefault(word.name, word)
        return tuple(words.values())

    def word(self, steps: Steps, use_at: UseAt) -> Word | None:
        """The key at the end of a path."""
        if not steps:
            return None
        return next((w for w in self.keys(steps[:-1], use_at) if w.name == steps[-1]), None)

    def offer(self, kind: Kind, name: str | None) -> Offer | None:
        """The provider of a name, where there is exactly one."""
        offers = self.catalog.find(kind, name) if name else ()
        return offers[0] if len(offers) == 1 else None

    def _own(self, path: Steps, *, needed: bool) -> list[Word]:
        schema = self._at(path)
        if schema is None:
            return []
        found: list[Word] = []
        named = len(path) == 2 and path[0] in SECTIONS  # noqa: PLR2004 - section and name
        for member in self._members(schema):
            must = member.get("required", ())
            for name, inner in member.get("properties", {}).items():
                if name == LIKE and not named:
                    continue
                word = Word(name, self._resolved(inner), needed=needed and name in must)
                found += [word] if name not in {w.name for w in found} else []
        return found

    def _options(self, steps: Steps, use_at: UseAt) -> list[Word]:
        kind = kind_at(steps)
        if kind is None:
            return []
        use = Word(USE, self._resolved({"$ref": "#/$defs/use"})["anyOf"][1]["properties"][USE])
        name = use_at(steps) or DEFAULTS.get(kind)
        offer = self.offer(kind, name)
        if offer is None:
            return [use]
        schema = schema_of(offer.provider.options)
        must = schema.get("required", ())
        return [use] + [
            Word(key, inner, needed=key in must, provider=name)
            for key, inner in schema["properties"].items()
            if kind is not Kind.SOURCE or key not in DATA_WORDS
        ]

    def _at(self, path: Steps) -> Json | None:
        """The schema of what stands at a path of the language."""
        schema: Json | None = self.recipe
        for step in path:
            schema = next(self._below(schema, step), None) if schema is not None else None
        return schema

    def _below(self, schema: Json, step: Step) -> Iterator[Json]:
        for member in self._members(schema):
            if isinstance(step, int):
                if "items" in member:
                    yield self._resolved(member["items"])
                continue
            properties = member.get("properties", {})
            if step in properties:
                yield self._resolved(properties[step])
            elif isinstance(member.get("additionalProperties"), dict):
                yield self._resolved(member["additionalProperties"])

    def _members(self, schema: Json) -> Iterator[Json]:
        yield schema
        for member in schema.get("anyOf", ()):
            yield from self._members(self._resolved(member))

    def _resolved(self, schema: Json) -> Json:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        named: Json = self.recipe["$defs"][str(reference).rpartition("/")[2]]
        return {**named, **{key: value for key, value in schema.items() if key != "$ref"}}


def _choices(schema: Json) -> Iterator[str]:
    yield from (value_words(choice) for choice in schema.get("enum", ()) if choice is not None)
    kinds = schema.get("type")
    if kinds == "boolean" or (isinstance(kinds, list) and "boolean" in kinds):
        yield from ("true", "false")
    for member in schema.get("anyOf", ()):
        yield from _choices(member)


def _one_type(schema: Json) -> Json:
    """A schema without the members that only describe the insides of rows and blocks."""
    if "anyOf" not in schema or "enum" in schema:
        return schema if any(key in schema for key in ("type", "enum")) else {}
    members = [{key: value for key, value in m.items() if key != "anyOf"} for m in schema["anyOf"]]
    return {"anyOf": [m for m in members if "type" in m or "enum" in m]}
