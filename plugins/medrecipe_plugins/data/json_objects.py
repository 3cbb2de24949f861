"""``json``: rows from a file that is one JSON list of objects, or objects one after another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from medrecipe_plugins.data._file import FileSource
from medrecipe_plugins.data._json import CUT_OFF, decoder, refused_at, row_of
from medrecipe_plugins.data._lines import LONGEST_LINE, too_long
from medrecipe_plugins.data._window import Window
from pipeline_dsl.api import DataError, PlacedRow, Provider, hookimpl, option

_LONGEST_WORD = 16
"""No word or escape of JSON is longer: a mistake so near the end may be one for want of the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A UTF-8 file that is one JSON list of objects, or objects one after another. Text becomes NFC."""

    path: str = option(
        path=True, doc="the file, also compressed by gzip; or an address: gs://, s3://, https://"
    )


class JsonObjects(FileSource):
    """The rows of one file, one at a time in memory however long its lines are."""

    def __init__(self, options: Options) -> None:
        """Name the file."""
        super().__init__(options.path)

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the objects, each at the line and column where it begins.

        Those before ``start`` are read as well: nothing else finds their ends.

        Raises:
            DataError: MR501 the file is missing; MR502 it is no regular file or cannot be read; MR503 it is
                not UTF-8, no list of objects, or a row is longer than 1 MB; MR509 it is compressed and
                damaged.
        """
        file = self.file()
        with file.open() as content:
            for place, text, value in islice(_objects(Window(content, file.name)), start, None):
                with refused_at(place, _FORM):
                    yield PlacedRow(place, row_of(value, text))


def _objects(window: Window) -> Iterator[tuple[str, str, Any]]:
    """Yield each object with its place and its text."""
    first = window.peek()
    if first == "[":
        window.take()
        yield from _listed(window)
        if window.peek():
            raise _wrong(window, "something stands behind the list")
    elif first in ("{", ""):
        while window.peek():
            yield _object(window)
    else:
        raise _wrong(window, "it begins neither a list nor an object")


def _listed(window: Window) -> Iterator[tuple[str, str, Any]]:
    if window.peek() == "]":
        window.take()
        return
    while True:
        yield _object(window)
        sign = window.peek()
        if sign not in (",", "]"):
            raise _wrong(window, "behind a row comes neither a comma nor the end of the list")
        window.take()
        if sign == "]":
            return


def _object(window: Window) -> tuple[str, str, Any]:
    begins = window.peek()
    if begins != "{":
        raise _wrong(window, f"{_NAMES.get(begins, 'something')} stands where a row, an object, is expected")
    place = window.place()
    while True:
        try:
            with refused_at(place, _FORM):
                value, end = _DECODER.raw_decode(window.text)
            break
        except json.JSONDecodeError as error:
            if not (_may_go_on(error, window) and window.read()):
                raise _mistake(error, window, place) from error
    text = window.take(end)
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_LINE:
        raise too_long("row", place)
    return place, text, value


def _may_go_on(error: json.JSONDecodeError, window: Window) -> bool:
    """Whether there may be no mistake once more of the file is read."""
    is_near = error.pos > len(window.text) - _LONGEST_WORD
    return (is_near or _is_open(error)) and len(window.text) <= LONGEST_LINE


def _is_open(error: json.JSONDecodeError) -> bool:
    """Whether it is a text that has no end."""
    return error.msg.startswith("Unterminated")


def _mistake(error: json.JSONDecodeError, window: Window, place: str) -> DataError:
    if len(window.text) > LONGEST_LINE:
        return too_long("row", place)
    if _is_open(error) or error.pos >= len(window.text.rstrip()):
        return DataError("the file ends within the row", code="MR503", place=place, help=CUT_OFF)
    return DataError(f"not JSON: {error.msg}", code="MR503", place=window.place(error.pos), help=_FORM)


def _wrong(window: Window, message: str) -> DataError:
    if not window.peek():
        return DataError("the file ends within the list", code="MR503", place=window.place(), help=CUT_OFF)
    return DataError(message, code="MR503", place=window.place(), help=_FORM)


_DECODER = decoder()
_FORM = 'the file is one list of objects, [{"column": value}, …], or objects one after another'
_NAMES = {
    "[": "a list", '"': "a text", "]": "a bracket", ",": "a comma", "t": "true", "f": "false", "n": "null",
    **dict.fromkeys("-0123456789", "a number"),
}  # fmt: skip


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    summary = "rows from a JSON file: one list of objects, or objects one after another"
    return [Provider(name="json", summary=summary, factory=JsonObjects, options=Options)]
