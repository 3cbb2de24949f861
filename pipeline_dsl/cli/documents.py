"""JSON documents for programs: one on stdout, with its ``schema_version``, in UTF-8, without NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import click

SCHEMA_VERSION = 1


def print_document(data: Mapping[str, Any]) -> None:
    """Write a document to stdout."""
    click.echo(json_text({"schema_version": SCHEMA_VERSION, **data}))


def json_text(value: Any) -> str:
    """Return a value as JSON; a number that is not finite becomes null."""
    return json.dumps(_finite(value), ensure_ascii=False, indent=2)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
