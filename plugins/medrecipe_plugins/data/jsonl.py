"""``jsonl``: rows from a file with one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from medrecipe_plugins.data._file import FileSource, count_lines
from medrecipe_plugins.data._json import CUT_OFF, decoder, refused_at, row_of
from medrecipe_plugins.data._lines import decoded, lines_of
from pipeline_dsl.api import DataError, PlacedRow, Provider, hookimpl, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A UTF-8 file with one JSON object a line. Text becomes NFC; empty lines are passed over."""

    path: str = option(
        path=True, doc="the file, also compressed by gzip; or an address: gs://, s3://, https://"
    )


class JsonLines(FileSource):
    """The rows of one file."""

    def __init__(self, options: Options) -> None:
        """Name the file."""
        super().__init__(options.path)

    def count(self) -> int | None:
        """How many rows there are at most; None for a compressed file."""
        return count_lines(self.file())

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the objects; lines before ``start`` are counted and not looked into.

        Raises:
            DataError: MR501 the file is missing; MR502 it is no regular file or cannot be read; MR503 a line
                is not a JSON object in UTF-8 (``place`` names it); MR509 it is compressed and damaged.
        """
        file = self.file()
        full = ((number, line) for number, line in lines_of(file) if line.strip())
        for number, line in islice(full, start, None):
            place = f"{file.name}:{number}"
            text = decoded(line, place).rstrip("\r\n")
            yield PlacedRow(place, _parsed(text, place, whole=line.endswith(b"\n")))


def _parsed(text: str, place: str, *, whole: bool) -> dict[str, Any]:
    """Read one line. Messages never quote it."""
    try:
        with refused_at(place, _ONE_OBJECT):
            value = row_of(_DECODER.decode(text), text)
    except json.JSONDecodeError as error:
        message = f"not JSON at column {error.colno}: {error.msg}"
        help_ = f"the last line looks cut off: {CUT_OFF}"
        if whole:
            help_ = _ONE_LIST if text.lstrip().startswith("[") else _ONE_OBJECT
        raise DataError(message, code="MR503", place=place, help=help_) from error
    if not isinstance(value, dict):
        message = f"the line is JSON, but {_json_name(value)} instead of an object"
        help_ = _ONE_LIST if isinstance(value, list) else _ONE_OBJECT
        raise DataError(message, code="MR503", place=place, help=help_)
    return value


_DECODER = decoder()
_ONE_OBJECT = 'each line is one object: {"column": value}'
_ONE_LIST = f"{_ONE_OBJECT}; a file that is one list of objects is read by `use: json`"


def _json_name(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    return [Provider(name="jsonl", summary="rows from a JSON Lines file", factory=JsonLines, options=Options)]
