"""Values of rows as JSON has them, all text in Unicode's NFC."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import unicodedata
from typing import Any


def normal(text: str) -> str:
    """Return a text in NFC."""
    return unicodedata.normalize("NFC", text)


def normalised(value: Any) -> Any:
    """Return the same JSON with all its text, names included, in NFC.

    Raises:
        ValueError: two names of an object are one in NFC.
    """
    if isinstance(value, str):
        return normal(value)
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, dict):
        return named_once([(normal(key), normalised(item)) for key, item in value.items()])
    return value


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of names and values, or raise ValueError where a name is there twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object has one name twice")
    return made


def plain(value: Any) -> Any:
    """Return a Python value of an Arrow column as JSON.

    Dates and times become text (ISO 8601), decimals text with all their digits, NaN null; text becomes NFC.

    Raises:
        TypeError: a value that no JSON holds: bytes, durations, infinities.
        ValueError: two names of an object are one in NFC.
    """
    match value:
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return named_once([(normal(key), plain(item)) for key, item in value.items()])
        case _:
            return _plain_scalar(value)


def _plain_scalar(value: Any) -> str | float | None:
    match value:
        case str():
            return normal(value)
        case None | bool() | int():
            return value
        case float() if not math.isinf(value):
            return None if math.isnan(value) else value
        case decimal.Decimal():
            return format(value, "f")
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            raise TypeError(_NAMES.get(type(value), type(value).__name__))


_NAMES: dict[type, str] = {bytes: "bytes", dt.timedelta: "a duration", float: "an infinite number"}
