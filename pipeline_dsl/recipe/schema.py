"""The JSON Schema of a recipe, as ``medrecipe sdn to-json`` prints one.

With definitions of what the installed plugins offer ``use`` is held to their names, and the keys beside it
to the options of that provider; without, both are left open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_dsl.api.events import EVENTS
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.recipe.contracts import OTHERWISE
from pipeline_dsl.recipe.data import PII
from pipeline_dsl.recipe.phases import ROLES
from pipeline_dsl.recipe.profiles import READ_EARLY

Json = dict[str, Any]

_TEXT: Json = {"type": "string", "minLength": 1}
_LIKE: Json = {"type": "string", "description": "the sibling block to copy before this one is laid over it"}
_NUMBER: Json = {"type": ["number", "null"]}
_USE: Json = {"$ref": "#/$defs/use"}


def recipe_schema(definitions: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of a whole recipe: with ``use_KIND`` and ``options_KIND`` for every kind, or open."""
    closed = definitions is not None
    overlay = {name: part for name, part in _top(closed=closed).items() if name not in READ_EARLY}
    return {
        "title": "A medrecipe recipe",
        "description": "What to train, on what, in which order; after reading the notation as JSON.",
        "$defs": {
            "use": _use(),
            "overlay": {**_closed(overlay, required=()), "type": ["object", "null"]},
            **(definitions or {}),
        },
        **_closed(_top(closed=closed), required=()),
    }


def _top(*, closed: bool) -> dict[str, Json]:
    return {
        "recipe": _described(_TEXT, "the recipe's name"),
        "edition": _described({"type": "integer", "minimum": 1}, "the edition of the language"),
        "description": _described(_TEXT, "what it is for"),
        "project": _described(_TEXT, "the folder of its runs; the recipe's name by default"),
        "extends": _described(_one_or_many(_TEXT), "recipes that this one is laid over"),
        "seed": _described({"type": "integer", "minimum": 0}, "where all random choices start"),
        "tags": _described(_one_or_many(_TEXT), "free words"),
        "device": _described(_TEXT, "auto, cpu or cuda:N"),
        "plugins": _described(_one_or_many(_TEXT), "plugin files of this recipe"),
        "environment": _described(
            _one_or_many(_TEXT), "environment variables that may be used as ${env:NAME}"
        ),
        "model": _described(
            _of(Kind.MODEL, closed=closed), "the base to adapt: use and the provider's options"
        ),
        "adapters": _described(_named(_of(Kind.ADAPTER, closed=closed)), "adapters by name"),
        "data": _described(_named(_data(closed=closed)), "data sources by name"),
        "templates": _described(_named(_of(Kind.TEMPLATE, closed=closed)), "prompt templates by name"),
        "tasks": _described(_rows(_task(closed=closed), ("data", "template", "metric")), "named probes"),
        "train": _described(_of(Kind.TRAINER, closed=closed), "training options of every phase"),
        "phases": _described(_named(_closed(_phase(closed=closed), required=())), "training steps by name"),
        "hooks": _described(
            _rows(_hook(closed=closed), ("on", "do")), "actions bound to events in every phase"
        ),
        "trackers": _described(
            {"type": "array", "items": _used(Kind.TRACKER, closed=closed)},
            "further listeners that keep a history",
        ),
        "executor": _described(_used(Kind.EXECUTOR, closed=closed), "where phases run"),
        "profiles": _described(_named({"$ref": "#/$defs/overlay"}), "overlays by name"),
        "default_profile": _described(_TEXT, "the overlay that is taken when none is asked for"),
    }


def _phase(*, closed: bool) -> dict[str, Json]:
    return {
        "after": _described(_one_or_many(_TEXT), "phases that have to come before"),
        "task": _described(_TEXT, "the task that this phase is meant to teach"),
        "stack": _described(_rows(_stack(), ("role",)), "adapters from bottom to top, each with its role"),
        "mix": _described(_rows(_mix(closed=closed), ("template",)), "weighted sources of training samples"),
        "stages": _described(
            _rows(_stages(closed=closed), ()), "trainings of which it consists, one after the other"
        ),
        "train": _described(_of(Kind.TRAINER, closed=closed), "training options, laid over the recipe's"),
        "retain": _described(_rows(_retain(), ()), "what the phase may not lose"),
        "hooks": _described(_rows(_hook(closed=closed), ("on", "do")), "actions bound to events"),
        "seed": _described({"type": "integer", "minimum": 0}, "instead of the recipe's"),
        "like": _LIKE,
    }


def _stack() -> dict[str, Json]:
    return {
        "adapter": _described(_TEXT, "the adapter, a name in `adapters`"),
        "role": _described(
            {"enum": list(ROLES)},
            "train makes it new, continue trains it on, freeze keeps it as it is, merge folds it in",
        ),
    }


def _mix(*, closed: bool) -> dict[str, Json]:
    template = _used(Kind.TEMPLATE, closed=closed)
    return {
        "data": _described(_TEXT, "a source in `data`, or a part of one"),
        "template": _described(template, "what makes a prompt and a completion of a row"),
        "weight": _described(_NUMBER, "its share beside the others; 1 by default"),
        "limit": _described(_whole(1), "rows; all by default"),
        "repeat": _described(_whole(1), "how often its samples count; 1 by default"),
    }


def _retain() -> dict[str, Json]:
    bound = {"type": ["number", "string", "null"]}
    return {
        "task": _described(_TEXT, "the task whose score is held, a name in `tasks`"),
        "keep": _described(bound, "the least share of the best score before: 0.98 or 98%"),
        "drop": _described(bound, "the largest loss against the best score before, in its unit"),
        "rise": _described(bound, "the largest relative rise of a score that should be low: 5%"),
        "otherwise": _described({"enum": [*OTHERWISE, None]}, "what a broken contract does; warn by default"),
    }


def _stages(*, closed: bool) -> dict[str, Json]:
    template = {"anyOf": [_used(Kind.TEMPLATE, closed=closed), {"type": "null"}]}
    share = {"type": ["number", "null"], "exclusiveMinimum": 0}
    return {
        "stage": _described(_TEXT, "the stage's name"),
        "template": _described(template, "instead of the main source's own"),
        "samples": _described(_whole(1), "rows of the main source; all by default"),
        "until": _described({"type": ["string", "null"]}, "a condition on scores that ends the stage"),
        "at_most": _described(share, "below 1 a share of the phase's steps, else steps"),
    }


def _task(*, closed: bool) -> dict[str, Json]:
    return {
        "task": _described(_TEXT, "the task's name"),
        "data": _described(_TEXT, "a source in `data`, or a part of one"),
        "template": _described(_used(Kind.TEMPLATE, closed=closed), "what makes a question of a row"),
        "metric": _described(_used(Kind.METRIC, closed=closed), "what scores the answers"),
        "limit": _described(_whole(1), "rows; all by default"),
    }


def _data(*, closed: bool) -> Json:
    """A source's options and the words of the language for its rows."""
    block = _of(Kind.SOURCE, closed=closed, description="a source, and what is made of its rows")
    flag, names = {"type": ["boolean", "null"]}, _one_or_many(_TEXT)
    words = {
        "columns": _described(
            {"type": ["object", "null"], "additionalProperties": _TEXT},
            "template field: column of the source",
        ),
        "filter": _described({"type": ["string", "null"]}, "a condition of the rows that count"),
        "limit": _described(_whole(1), "at most so many rows, of each part where there is a split"),
        "split": _described({"type": ["string", "null"]}, "shares of the parts: 0.9/0.1 or 0.8/0.1/0.1"),
        "group_by": _described({"anyOf": [*names["anyOf"], {"type": "null"}]}, "columns that no split cuts"),
        "streaming": _described(flag, "read again and again in constant memory"),
        "shuffle_buffer": _described(_whole(1), "rows of a stream that are shuffled together"),
        "pii": _described({"enum": [*PII, None]}, "whether personal data may be in it"),
    }
    return {**block, "properties": {**block["properties"], **words}}


def _hook(*, closed: bool) -> dict[str, Json]:
    names = [event.name for event in EVENTS]
    often = "acts when the count of the event in this phase is a multiple; 1 by default"
    return {
        "on": _described({"enum": names}, "the event at which it acts"),
        "every": _described(_whole(1), often),
        "when": _described({"type": ["string", "null"]}, "a condition that has to hold; always by default"),
        "do": _described(_used(Kind.ACTION, closed=closed), "the action"),
    }


def _use() -> Json:
    return {
        "anyOf": [_TEXT, _block("")],
        "description": "a provider's name, or a block of use and its options",
    }


def _used(kind: Kind, *, closed: bool) -> Json:
    """A provider of a kind: a name, or a block."""
    return {"$ref": f"#/$defs/use_{kind}"} if closed else _USE


def _of(kind: Kind, *, closed: bool, description: str = "") -> Json:
    """A block that chooses a provider of a kind."""
    block = _block(description)
    return {**block, "$ref": f"#/$defs/options_{kind}"} if closed else block


def _block(description: str) -> Json:
    properties = {"use": _described(_TEXT, "the provider: NAME or PLUGIN/NAME"), "like": _LIKE}
    return {"type": "object", "properties": properties} | (
        {"description": description} if description else {}
    )


def _named(schema: Json) -> Json:
    return {"type": "object", "additionalProperties": schema}


def _rows(columns: Mapping[str, Json], required: tuple[str, ...]) -> Json:
    """A table, a list of blocks or, named by the first column, a block of blocks."""
    properties = {**columns, "like": _LIKE}
    row = _closed(properties, required=())
    needed = [name for name in columns if name in required or name == next(iter(columns))]
    full = {**row, "anyOf": [{"required": needed}, {"required": ["like"]}]}
    return {"anyOf": [{"type": "array", "items": full}, {"type": "object", "additionalProperties": row}]}


def _closed(properties: Mapping[str, Json], *, required: tuple[str, ...]) -> Json:
    schema: Json = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def _one_or_many(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _whole(least: int) -> Json:
    return {"type": ["integer", "null"], "minimum": least}


def _described(schema: Json, description: str) -> Json:
    return {**schema, "description": description}
