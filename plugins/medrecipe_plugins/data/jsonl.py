"""``jsonl``: rows from a file with one JSON object a line."""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from pipeline_dsl.api import DataError, Provider, Row, hookimpl, option

LONGEST_LINE = 1 << 20
"""Bytes that a line may have."""
_NAMED = 12
"""Columns that a message lists at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A UTF-8 file with one JSON object a line. Text becomes NFC; empty lines are passed over."""

    path: str = option(path=True, doc="the file")
    columns: Mapping[str, str] | None = option(None, doc="template field: column of the file that fills it")
    limit: int | None = option(None, ge=1, doc="rows that are read, from the top")


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The rows of one file."""

    options: Options

    def files(self) -> Sequence[Path]:
        """The one file."""
        return (Path(self.options.path),)

    def rows(self, limit: int | None = None) -> Sequence[Row]:
        """Read at most ``limit`` rows; each has the columns of its line and those that are mapped.

        Raises:
            DataError: MR501 the file is missing; MR502 it is no regular file or cannot be read; MR503 a line
                is not a JSON object in UTF-8 (``place`` names it); MR504 there is no row; MR505 a mapped
                column is missing.
        """
        wanted = min((n for n in (self.options.limit, limit) if n is not None), default=None)
        path = Path(self.options.path)
        rows: list[Row] = []
        missing: list[tuple[int, str]] = []
        seen: dict[str, None] = {}
        for number, row in _objects(path, wanted):
            seen |= dict.fromkeys(row)
            missing += [
                (number, column) for column in (self.options.columns or {}).values() if column not in row
            ]
            rows.append(row | {f: row.get(c) for f, c in (self.options.columns or {}).items()})
        if not rows:
            raise DataError("there is no row in the file", code="MR504", place=str(path))
        if missing:
            _raise_missing(path, missing, len(rows), list(seen))
        return rows


def _raise_missing(path: Path, missing: list[tuple[int, str]], rows: int, seen: Sequence[str]) -> NoReturn:
    """Tell the first missing column, in how many rows it is, and the columns there are."""
    number, column = missing[0]
    count = sum(name == column for _, name in missing)
    there = ", ".join(seen[:_NAMED]) + (", …" if len(seen) > _NAMED else "")
    message = f"column {column!r} is missing in {count} of {rows} rows"
    raise DataError(message, code="MR505", help=f"columns of the file: {there}", place=f"{path}:{number}")


def _objects(path: Path, wanted: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and objects."""
    found = 0
    with _open(path) as file:
        number = 0
        while found != wanted and (line := file.readline(LONGEST_LINE + 1)):
            number += 1
            text = _decode(line, number, path)
            if text.strip():
                yield number, _parse(text, number, path, whole=line.endswith(b"\n"))
                found += 1


def _open(path: Path) -> BinaryIO:
    """Open a regular file; anything else could block for ever."""
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode):
            raise DataError(f"is {_kind(kind)}, not a file", code="MR502", place=str(path))
        return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    except FileNotFoundError as error:
        help_ = "paths are relative to the file in which they are written"
        raise DataError("the file does not exist", code="MR501", help=help_, place=str(path)) from error
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror}", code="MR502", place=str(path)
        ) from error


def _kind(found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(found.st_mode) else "a device or socket"


def _decode(line: bytes, number: int, path: Path) -> str:
    place = f"{path}:{number}"
    if len(line) > LONGEST_LINE:
        raise DataError("the line is longer than 1 MB", code="MR503", place=place)
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} of the line is not UTF-8"
        raise DataError(message, code="MR503", place=place, help="save the file as UTF-8") from error


def _parse(text: str, number: int, path: Path, *, whole: bool) -> dict[str, Any]:
    """Read one line. Messages never quote it."""
    place = f"{path}:{number}"
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        message = f"not JSON at column {error.colno}: {error.msg}"
        help_ = None if whole else "the last line looks cut off: was the file copied as a whole?"
        raise DataError(message, code="MR503", place=place, help=help_) from error
    except UnicodeEncodeError as error:
        raise DataError("a \\u escape is half of a character", code="MR503", place=place) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON that can be read: {error}", code="MR503", place=place) from error
    if not isinstance(value, dict):
        message = f"the line is JSON, but {_json_name(value)} instead of an object"
        raise DataError(message, code="MR503", place=place)
    normal: dict[str, Any] = _normalised(value)
    return normal


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _json_name(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _normalised(value: Any) -> Any:
    """The same JSON with all its text, keys included, in NFC."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [_normalised(item) for item in value]
    if isinstance(value, dict):
        return {unicodedata.normalize("NFC", key): _normalised(item) for key, item in value.items()}
    return value


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    return [Provider(name="jsonl", summary="rows from a JSON Lines file", factory=JsonLines, options=Options)]
