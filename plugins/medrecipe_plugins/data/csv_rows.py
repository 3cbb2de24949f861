"""``csv``: rows from a table in a text file, as RFC 4180 has it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Literal

from medrecipe_plugins.data._file import DataFile, FileSource, count_lines, is_address
from medrecipe_plugins.data._lines import LONGEST_LINE, decoded, lines_of, too_long
from medrecipe_plugins.data._values import normal
from pipeline_dsl.api import DataError, PlacedRow, Provider, hookimpl, option

Record = tuple[int, list[str]]
_SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_TABBED = frozenset({".tsv", ".tab"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A UTF-8 table whose first line names its columns. Every cell is text, in NFC; empty lines pass."""

    path: str = option(
        path=True, doc="the file, also compressed by gzip; or an address: gs://, s3://, https://"
    )
    delimiter: Literal["auto", "comma", "semicolon", "tab", "pipe"] = option(
        "auto", doc="what stands between cells; auto is a tab in .tsv and .tab files, else a comma"
    )


class Table(FileSource):
    """The rows of one file."""

    def __init__(self, options: Options) -> None:
        """Name the file and what stands between its cells."""
        super().__init__(options.path)
        self._delimiter = _SIGNS.get(options.delimiter) or _delimiter_of(options.path)

    def count(self) -> int | None:
        """How many rows there are at most; None for a compressed file."""
        return count_lines(self.file())

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the rows, each at the line where it begins.

        Raises:
            DataError: MR501 the file is missing; MR502 it is no regular file or cannot be read; MR503 a line
                is not UTF-8 or too long; MR508 its header or a row is wrong; MR509 it is compressed and
                damaged.
        """
        file = self.file()
        records = _Records(file, self._delimiter).all()
        header = _header(next(records, None), file.name)
        for number, cells in islice(records, start, None):
            place = f"{file.name}:{number}"
            if len(cells) != len(header):
                message = f"the row has {_count(cells, 'cell')}, the header {_count(header, 'column')}"
                raise DataError(message, code="MR508", place=place, help=_QUOTES)
            yield PlacedRow(place, dict(zip(header, map(normal, cells), strict=True)))


class _Records:
    """Reads records of cells, which may go over several lines, and remembers where each begins."""

    def __init__(self, file: DataFile, delimiter: str) -> None:
        self._file, self._delimiter = file, delimiter
        self._begins, self._size = 0, 0

    def all(self) -> Iterator[Record]:
        """Yield the records that are not empty."""
        records = csv.reader(self._texts(), delimiter=self._delimiter, strict=True)
        while True:
            try:
                cells = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                place = f"{self._file.name}:{max(self._begins, 1)}"
                raise DataError(_in_words(error), code="MR508", place=place, help=_QUOTES) from error
            if cells:
                yield self._begins, cells
            self._begins, self._size = 0, 0

    def _texts(self) -> Iterator[str]:
        for number, line in lines_of(self._file):
            self._begins = self._begins or number
            self._size += len(line)
            if self._size > LONGEST_LINE:
                raise too_long("row", f"{self._file.name}:{self._begins}")
            yield decoded(line, f"{self._file.name}:{number}")


_QUOTES = 'cells with delimiters, line ends or quotes in them stand in "…", and a quote in them is written ""'


def _in_words(error: csv.Error) -> str:
    """What Python's reader found, without the cell."""
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote that begins in the row is never closed"
    if "field limit" in text:
        return f"a cell of the row is longer than {csv.field_size_limit():,} characters"
    if "new-line character" in text:
        return "the row has a carriage return outside of quotes"
    return "after a closing quote of the row comes neither a delimiter nor the line end"


def _header(record: Record | None, name: str) -> list[str]:
    """Names of the columns, each there and once."""
    number, cells = record or (1, [])
    header = [normal(cell) for cell in cells]
    place = f"{name}:{number}"
    for at, column in enumerate(header):
        if not column.strip():
            message = f"column {at + 1} of the header has no name"
            raise DataError(message, code="MR508", place=place, help="the first line names the columns")
        if column in header[:at]:
            message = f"columns {header.index(column) + 1} and {at + 1} of the header have one name"
            raise DataError(message, code="MR508", place=place, help="give each column a name of its own")
    return header


def _count(items: list[str], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def _delimiter_of(path: str) -> str:
    name = (path.partition("?")[0] if is_address(path) else path).lower()
    return "\t" if PurePath(name.removesuffix(".gz")).suffix in _TABBED else ","


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    summary = "rows from a table with commas or tabs (.csv, .tsv)"
    return [Provider(name="csv", summary=summary, factory=Table, options=Options)]
