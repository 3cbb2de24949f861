"""Files that programs write: a subset of the notation, read and written without the grammar.

One ``key: value`` a line, where the value is written on one line: a quoted string, a number, ``true``,
``false``, ``null``, ``[…]`` or ``{…}``. The last line, ``checksum: "crc32:…"``, is over all bytes before it.
``parse`` reads every such file to the same value, with the checksum as one more entry. The values are JSON
as well (with raw control characters in strings), so the standard library's decoder reads them.
"""

from __future__ import annotations

import re
from json import JSONDecoder
from zlib import crc32

from pipeline_dsl.syntax.strings import quote

TYPE_CHECKING = False  # importing typing would cost more than all of this module
if TYPE_CHECKING:
    from pipeline_dsl.syntax.nodes import Value

BARE_KEY = re.compile(r"[A-Za-z0-9_./-]+")
CHECKSUM = "checksum"
MAX_DEPTH = 64
LARGEST = 2**63 - 1


class RecordError(ValueError):
    """A record that is damaged; ``line`` is the 1-based number of the line where that shows."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


def write_record(record: dict[str, Value]) -> str:
    """Write a record, one line an entry, and its checksum. Keys are written in NFC.

    Raises ValueError for an entry named ``checksum``, an empty key or two keys that are the same in NFC, a
    float that is no number, an integer past 64 bits, NUL, a lone surrogate, and nesting past 64.
    """
    lines = []
    for key, value in _names(record).items():
        if key == CHECKSUM:
            message = f"`{CHECKSUM}` is the name of the last line of every record"
            raise ValueError(message)
        name = key if BARE_KEY.fullmatch(key) else quote(key)
        lines.append(f"{name}: {_written(value, 1)}\n")
    text = "".join(lines)
    return f'{text}{CHECKSUM}: "{_sum(text)}"\n'


def read_record(text: str) -> dict[str, Value]:
    """Read what ``write_record`` made, without its checksum. Raises RecordError where it is damaged."""
    body, mark, last = text.rpartition(f"{CHECKSUM}: ")
    if not mark or (body and not body.endswith("\n")):
        raise RecordError(text.count("\n") + 1, "the checksum is missing; the file is cut off")
    try:
        intact = last == f'"{_sum(body)}"\n'
    except UnicodeEncodeError:
        intact = False
    record = _entries(body)
    if not intact:
        raise RecordError(body.count("\n") + 1, "the checksum does not fit the lines before it")
    return record


def _entries(body: str) -> dict[str, Value]:
    record: dict[str, Value] = {}
    decode = JSONDecoder(strict=False).raw_decode
    for number, line in enumerate(body.split("\n")[:-1], 1):
        try:
            if line.startswith('"'):
                key, end = decode(line)
            else:
                end = line.index(":")
                key = line[:end]
            value, stop = decode(line, end + 2)
        except (ValueError, IndexError, RecursionError):
            raise RecordError(number, "this is no `key: value`") from None
        if stop != len(line) or line[end : end + 2] != ": " or key in record:
            raise RecordError(number, "this is no `key: value`, or a key that was there before")
        record[key] = value
    return record


def _sum(text: str) -> str:
    return f"crc32:{crc32(text.encode()):08x}"


def _written(value: Value, depth: int) -> str:
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int | float):
        return _number(value)
    if depth > MAX_DEPTH:
        message = f"nested more than {MAX_DEPTH} deep"
        raise ValueError(message)
    if isinstance(value, list):
        return f"[{', '.join([_written(item, depth + 1) for item in value])}]"
    pairs = [f"{quote(key)}: {_written(item, depth + 1)}" for key, item in _names(value).items()]
    return f"{{{', '.join(pairs)}}}"


def _number(value: float) -> str:
    written = repr(value)
    if written in ("nan", "inf", "-inf") or (isinstance(value, int) and not -LARGEST - 1 <= value <= LARGEST):
        message = f"{written[:40]} cannot stand in a record"
        raise ValueError(message)
    return written


def _names(record: dict[str, Value]) -> dict[str, Value]:
    """The same entries with their keys in NFC."""
    if "".join(record).isascii():
        return record
    from unicodedata import normalize

    named = {normalize("NFC", key): value for key, value in record.items()}
    if len(named) < len(record):
        message = "two keys that are the same name"
        raise ValueError(message)
    return named
