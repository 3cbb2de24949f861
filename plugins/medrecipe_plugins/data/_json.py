"""Objects of JSON as rows: read strictly, in NFC, and never quoted in a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from medrecipe_plugins.data._values import named_once, normalised
from pipeline_dsl.api import DataError

CUT_OFF = "was the file copied as a whole?"


def decoder() -> json.JSONDecoder:
    """Make a decoder that refuses NaN and infinities, and names that an object has twice."""
    return json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=named_once)


@contextmanager
def refused_at(place: str, help_: str) -> Iterator[None]:
    """Turn what a decoder or ``row_of`` refuses, save mistakes of notation, into DataError (MR503)."""
    try:
        yield
    except json.JSONDecodeError:
        raise
    except UnicodeEncodeError as error:
        message = "a \\u escape is half of a character"
        raise DataError(message, code="MR503", place=place, help="write the character itself") from error
    except (ValueError, RecursionError) as error:
        message = f"not JSON that can be read: {error}"
        raise DataError(message, code="MR503", place=place, help=help_) from error


def row_of(value: Any, text: str) -> Any:
    """Return a value that was read from a text, in NFC.

    Raises:
        UnicodeEncodeError: an escape in it is half of a character.
        ValueError: two names of an object are one in NFC.
    """
    if "\\u" in text:  # nothing else can give half of a character
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return normalised(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
