"""``text``: rows from a file of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from medrecipe_plugins.data._file import FileSource
from medrecipe_plugins.data._lines import LONGEST_LINE, decoded, lines_of, too_long
from medrecipe_plugins.data._values import normal
from pipeline_dsl.api import PlacedRow, Provider, hookimpl, option

Lines = list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A UTF-8 file of plain text. Each row has one column, ``text``, in NFC."""

    path: str = option(
        path=True, doc="the file, also compressed by gzip; or an address: gs://, s3://, https://"
    )
    unit: Literal["line", "paragraph", "file"] = option(
        "line", doc="what makes a row: a line, lines up to an empty one, or the file"
    )


class PlainText(FileSource):
    """The documents of one file."""

    def __init__(self, options: Options) -> None:
        """Name the file."""
        super().__init__(options.path)
        self._unit = options.unit

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the documents, each at its first line; those before ``start`` are counted, not decoded.

        Raises:
            DataError: MR501 the file is missing; MR502 it is no regular file or cannot be read; MR503 it is
                not UTF-8, or a document is longer than 1 MB; MR509 it is compressed and damaged.
        """
        file = self.file()
        for lines in islice(_documents(lines_of(file), self._unit, file.name), start, None):
            texts = [decoded(line, f"{file.name}:{number}").rstrip("\r\n") for number, line in lines]
            yield PlacedRow(f"{file.name}:{lines[0][0]}", {"text": normal("\n".join(texts))})


def _documents(lines: Iterator[tuple[int, bytes]], unit: str, name: str) -> Iterator[Lines]:
    """Gather lines to documents that are not empty."""
    gathered: Lines = []
    size = 0
    for number, line in lines:
        full = bool(line.strip())
        if full or (unit == "file" and gathered):
            gathered.append((number, line))
            size += len(line)
            if size > LONGEST_LINE:
                raise too_long("line" if unit == "line" else unit, f"{name}:{gathered[0][0]}")
        if gathered and (unit == "line" or (unit == "paragraph" and not full)):
            yield gathered
            gathered, size = [], 0
    while gathered and not gathered[-1][1].strip():
        gathered.pop()
    if gathered:
        yield gathered


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    summary = "rows from a plain text: its lines, its paragraphs or all of it"
    return [Provider(name="text", summary=summary, factory=PlainText, options=Options)]
