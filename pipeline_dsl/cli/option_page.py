"""The options of a provider for people, from their schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline_dsl.cli.terminal import Paint, cells, folded, padded
from pipeline_dsl.plan.wording import type_words, value_words

Json = dict[str, Any]

_GAP = 2


def option_lines(schema: Json, paint: Paint, width: int | None) -> Iterator[str]:
    """Yield two lines or more for each option: what it may be, and under that what it does."""
    options: dict[str, Json] = schema["properties"]
    required = schema.get("required", ())
    left = max((cells(name) for name in options), default=0) + _GAP
    for name, option in options.items():
        default = "required" if name in required else f"default {value_words(option.get('default'))}"
        first = f"{paint.bold(padded(name, left))}{type_words(option)}; {default}"
        yield from folded(first, width, left)
        for remark in _remarks(option):
            yield from folded(" " * left + remark, width, left)


def _remarks(option: Json) -> list[str]:
    """What an option does and, where it should not be used, what should be."""
    texts = [
        option.get("description"),
        option.get("x-use-instead") and f"deprecated: {option['x-use-instead']}",
    ]
    return [str(text) for text in texts if text]
