"""From a path to a Source: bytes, their size and their encoding."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from pipeline_dsl.diagnostics import Diagnostic, Source, Span
from pipeline_dsl.syntax.codes import Code

MAX_BYTES = 1 << 20
STANDARD_INPUT = "-"


class _UnreadableError(Exception):
    def __init__(self, code: Code, message: str, advice: str) -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice


def read_source(path: str) -> tuple[Source | None, tuple[Diagnostic, ...]]:
    """Read a file, or standard input for ``-``, as UTF-8. Never raises and never waits on anything but ``-``.

    There is no source where the file cannot be read. At most 1 MiB and one byte is read.
    """
    try:
        data = _read(sys.stdin.buffer) if path == STANDARD_INPUT else _read_file(path)
    except _UnreadableError as error:
        return None, (_finding(path, error.code, str(error), error.advice),)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        near = _like(path) if isinstance(error, FileNotFoundError) else None
        advice = f"did you mean `{near}`?" if near else "check the path and its permissions"
        return None, (_finding(path, Code.UNREADABLE, f"cannot read `{path}`: {reason}", advice),)
    except ValueError:
        advice = "check the path"
        return None, (_finding(path, Code.UNREADABLE, "the path holds a NUL character", advice),)
    return decode(path, data)


def decode(name: str, data: bytes) -> tuple[Source | None, tuple[Diagnostic, ...]]:
    """Turn bytes into a Source, without a byte-order mark; into none where they are no UTF-8 text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8"
        return None, (_at_byte(name, data, error.start, Code.NOT_UTF8, message, "save the file as UTF-8"),)
    nul = data.find(b"\0")
    if nul >= 0:
        message = f"byte {nul} is a NUL character"
        advice = "remove it; is this a text file?"
        return None, (_at_byte(name, data, nul, Code.NUL, message, advice),)
    return Source.of(name, text), ()


def _read_file(path: str) -> bytes:
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise _UnreadableError(Code.UNREADABLE, f"`{path}` is a directory", "name a file in it")
    if not stat.S_ISREG(mode):
        raise _UnreadableError(
            Code.UNREADABLE,
            f"`{path}` is not a regular file",
            f"write `{STANDARD_INPUT}` to read standard input",
        )
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _UnreadableError(Code.UNREADABLE, f"`{path}` is not a regular file", "name a regular file")
        return _read(stream)


def _like(path: str) -> str | None:
    """The file beside a path that is not there whose name is most like it."""
    from difflib import get_close_matches

    wanted = Path(path)
    try:
        with os.scandir(wanted.parent) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
    except OSError:
        return None
    return next((str(wanted.with_name(name)) for name in get_close_matches(wanted.name, names, n=1)), None)


def _read(stream: BinaryIO) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _UnreadableError(
            Code.TOO_LARGE, "the file is larger than 1 MiB", "split it, or put data in a data file"
        )
    return data


def _finding(name: str, code: Code, message: str, advice: str) -> Diagnostic:
    source = Source.of(name, "")
    return Diagnostic(code=code.value, message=message, span=Span(source, 0, 0), help=advice)


def _at_byte(name: str, data: bytes, offset: int, code: Code, message: str, advice: str) -> Diagnostic:
    """A finding at a byte, shown in the text in which undecodable bytes are replaced."""
    before = data[:offset].decode("utf-8-sig", "replace")
    text = before + data[offset:].decode("utf-8", "replace").replace("\0", "\ufffd")
    place = len(before)
    span = Span(Source.of(name, text), place, min(place + 1, len(text)))
    return Diagnostic(code=code.value, message=message, span=span, help=advice)
