"""Schemas of files that are written key by key: a run's metadata and metrics, an adapter's manifest."""

from __future__ import annotations

from typing import Any

from pipeline_dsl.api.events import EVENTS, Event
from pipeline_dsl.cli.record_schema import DIALECT, object_schema

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Json = {"type": ["number", "null"]}
_SHA256: Json = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ADAPTER_SCALE: Json = {"scale": _NUMBER_OR_NULL, "use_rslora": {"type": ["boolean", "null"]}}


def _record(title: str, properties: Json, *, required: tuple[str, ...], extra: bool = False) -> Json:
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": extra,
    }


METADATA = _record(
    "A run's metadata.sdn, read as JSON",
    {
        "schema_version": {"const": 1},
        "id": {**_TEXT, "description": "the name of the run's folder"},
        "project": _TEXT,
        "recipe": _TEXT,
        "profile": _TEXT_OR_NULL,
        "status": {"enum": ["running", "finished", "failed", "rejected", "interrupted"]},
        "started": {**_TEXT, "format": "date-time", "description": "UTC"},
        "ended": {**_TEXT_OR_NULL, "description": "UTC, ISO 8601"},
        "duration_seconds": _NUMBER_OR_NULL,
        "pid": {"type": "integer"},
        "process_start": {"type": "number", "description": "seconds since 1970"},
        "boot_id": _TEXT,
        "host": _TEXT,
        "phases_done": {"type": "array", "items": _TEXT},
        "summary": {
            "type": "object",
            "additionalProperties": {"type": ["number", "null"]},
            "description": "the newest value of every task",
        },
    },
    required=("id", "project", "recipe", "status", "started"),
    extra=True,
)


def metrics_record() -> Json:
    """Return the schema of one line of ``metrics.jsonl``: an event with its number and time."""
    definitions: dict[str, Json] = {}
    lines = [_line(event, definitions) for event in EVENTS]
    title = "One line of a run's metrics.jsonl; a number that is not finite is null"
    return {"$schema": DIALECT, "title": title, "oneOf": lines, "$defs": definitions}


def _line(event: type[Event], definitions: dict[str, Json]) -> Json:
    line = object_schema(event, definitions, numbers_may_be_null=True)
    head: Json = {
        "seq": {"type": "integer", "minimum": 1, "description": "counts up by one, whatever the clock does"},
        "time": {"type": "number", "description": "seconds since 1970"},
        "event": {"const": event.name},
    }
    return {**line, "properties": head | line["properties"], "required": [*head, *line["required"]]}


_FILES: Json = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"bytes": {"type": "integer", "minimum": 0}, "sha256": _SHA256},
        "required": ["bytes", "sha256"],
        "additionalProperties": False,
    },
}

_PARENT: Json = {
    "type": "object",
    "properties": {
        "adapter": _TEXT,
        "role": {"enum": ["train", "continue", "freeze", "merge"]},
        "phase": _TEXT,
        "folder": {**_TEXT, "description": "relative to the folder of the manifest"},
        "sha256": _SHA256,
        "fingerprint": _TEXT,
        **_ADAPTER_SCALE,
    },
    "required": ["adapter", "role", "phase", "folder", "sha256"],
}

_SIBLING: Json = {
    "type": "object",
    "properties": {"adapter": _TEXT, "role": {"enum": ["train", "continue"]}, "folder": _TEXT},
    "required": ["adapter", "role", "folder"],
}

STACK_MANIFEST = _record(
    "An adapter's stack.json: what it stands on",
    {
        "schema_version": {"const": 1},
        "adapter": _TEXT,
        "phase": _TEXT,
        "stage": {**_TEXT_OR_NULL, "description": "the stage that left it, null for a finished phase"},
        "recipe": _TEXT,
        "fingerprint": _TEXT,
        "sha256": {**_SHA256, "description": "of the list of files"},
        "files": _FILES,
        **_ADAPTER_SCALE,
        "base": {"type": ["object", "null"], "description": "the identity of the base, with its hashes"},
        "parents": {
            "type": "array",
            "items": _PARENT,
            "description": "what it stands on, bottom first; `continue`: what training went on from",
        },
        "together": {
            "type": "array",
            "items": _SIBLING,
            "description": "adapters trained with it, active too",
        },
        "merge": {"type": ["object", "null"], "description": "the proof of the merge that preceded training"},
    },
    required=("schema_version", "adapter", "phase", "fingerprint", "sha256", "files", "base", "parents"),
)

EXPORT_MANIFEST = _record(
    "export.json of an exported stack: what the folder holds",
    {
        "schema_version": {"const": 1},
        "medrecipe": {**_TEXT, "description": "the version that exported it"},
        "exporter": {**_TEXT, "description": "plugin/name"},
        "library": {**_TEXT, "description": "which opens it: transformers, peft, medrecipe …"},
        "recipe": _TEXT,
        "run": _TEXT,
        "phase": {**_TEXT, "description": "whose stack it is"},
        "rejected": {"type": "boolean", "description": "whether the phase broke its retention contract"},
        "fingerprint": {**_TEXT, "description": "of the phase"},
        "stack": {
            "type": "array",
            "description": "bottom first; `merge` was folded into the weights in training",
            "items": {
                "type": "object",
                "properties": {"adapter": _TEXT, "role": {"enum": ["train", "continue", "freeze", "merge"]}},
                "required": ["adapter", "role"],
            },
        },
        "base": {"type": ["object", "null"], "description": "the identity of the base, with its hashes"},
        "dtype": {**_TEXT, "description": "number format of the weights, or of the base that adapters need"},
        "proof": {"type": ["object", "null"], "description": "of the merge that the export made"},
        "files": {**_FILES, "description": "every other file of the folder, by its name in it"},
    },
    required=(
        "schema_version",
        "medrecipe",
        "exporter",
        "library",
        "recipe",
        "run",
        "phase",
        "base",
        "files",
    ),
)
