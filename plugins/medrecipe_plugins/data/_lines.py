"""Lines of a text file: counted, of bounded length, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator

from medrecipe_plugins.data._file import DataFile
from pipeline_dsl.api import DataError

LONGEST_LINE = 1 << 20
"""Bytes that a line may have, and a row that stands on several lines."""
_MARK = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def lines_of(file: DataFile) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers from 1, line ends included, without the file's byte-order mark.

    Raises:
        DataError: MR503 a line is too long; and all that ``DataFile.open`` raises.
    """
    with file.open() as content:
        number = 0
        while line := content.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise too_long("line", f"{file.name}:{number}")
            yield number, line.removeprefix(_MARK) if number == 1 else line


def too_long(what: str, place: str) -> DataError:
    """Make the error for a line or document that is longer than 1 MB."""
    return DataError(
        f"the {what} is longer than 1 MB",
        code="MR503",
        place=place,
        help="break it up, or look at what it holds",
    )


def decoded(line: bytes, place: str) -> str:
    """Return a line as text.

    Raises:
        DataError: MR503, a byte of it is NUL or not UTF-8.
    """
    nul = line.find(b"\0")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} of the line is not UTF-8"
        raise DataError(message, code="MR503", place=place, help=encoding_help(line)) from error
    if nul >= 0:
        message = f"byte {nul + 1} of the line is NUL"
        raise DataError(message, code="MR503", place=place, help=encoding_help(line))
    return text


def encoding_help(line: bytes) -> str:
    """Say what to do about a line, or a piece of a file, that is not UTF-8."""
    looks_wide = line.startswith(_UTF16) or b"\0" in line
    return f"{'it looks like UTF-16: ' if looks_wide else ''}save the file as UTF-8"
