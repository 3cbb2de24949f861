"""What the sources of one file have in common: where it is, and how it is opened without ever blocking."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline_dsl.api import DataError

MOST_UNPACKED = 200
"""How many times its compressed size a file may have, once it is past ``FREELY_UNPACKED`` bytes."""
FREELY_UNPACKED = 1 << 22
"""Bytes that a compressed file may become whatever its size."""
_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 16
_COUNTED = 1 << 20


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file on this machine, and what messages call it: its path, or the address that it came from."""

    path: Path
    name: str

    def open(self) -> BinaryIO:
        """Open it for reading; what is compressed by gzip (its first two bytes say so) is unpacked.

        Raises:
            DataError: MR501 it is missing; MR502 it is no regular file or cannot be read; while reading,
                MR509: it is damaged, or grows without end.
        """
        file = self.open_as_is()
        return _unpacked(file, self) if file.peek(2)[:2] == _GZIP else file

    def open_as_is(self) -> io.BufferedReader:
        """Open a regular file; anything else could block for ever."""
        try:
            kind = self.path.stat()
            if not stat.S_ISREG(kind.st_mode):
                raise DataError(f"is {_kind(kind)}, not a file", code="MR502", place=self.name, help=_REGULAR)
            return io.BufferedReader(io.FileIO(self.path, opener=_never_waiting), _BUFFER)
        except FileNotFoundError as error:
            help_ = "paths are relative to the file they are written in, those of --set to where you are"
            raise DataError("the file does not exist", code="MR501", help=help_, place=self.name) from error
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            raise DataError(message, code="MR502", place=self.name, help=_REGULAR) from error


def is_address(path: str) -> bool:
    """Whether a path is an address with a scheme."""
    return "://" in path


class FileSource:
    """A source whose rows are in one file, here or at an address; its subclass reads them."""

    def __init__(self, path: str) -> None:
        """Take a path of this machine or an address with a scheme, ``s3://bucket/rows.jsonl``."""
        self._path = path

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch a file that has an address, unless what is kept of it is the newest.

        Raises:
            DataError: MR515, it cannot be fetched.
            MachineError: MR600, what reads such addresses is not installed, or there is no room.
        """
        if is_address(self._path):
            from medrecipe_plugins.data import _remote

            _remote.fetch(self._path, say)

    def here(self) -> bool:
        """Whether the file is on this machine, or would be if it were there: a path is."""
        if not is_address(self._path):
            return True
        from medrecipe_plugins.data import _remote

        return _remote.kept(self._path) is not None

    def files(self) -> Sequence[Path]:
        """The one file."""
        return (self.file().path,) if self.here() else ()

    def file(self) -> DataFile:
        """Return the file of this machine, or raise DataError (MR515) while it is not fetched."""
        if not is_address(self._path):
            return DataFile(Path(self._path), self._path)
        from medrecipe_plugins.data import _remote

        name = _remote.shown(self._path)
        path = _remote.kept(self._path)
        if path is None:
            raise DataError("it is not fetched yet", code="MR515", place=name, help="a run fetches it")
        return DataFile(path, name)


def count_lines(file: DataFile) -> int | None:
    """How many lines a file has at most; None where it has to be unpacked for that."""
    with file.open_as_is() as content:
        if content.peek(2)[:2] == _GZIP:
            return None
        return 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(_COUNTED), b""))


class _Unpacked(io.RawIOBase):
    """The content of a gzip file, refused where it grows out of all proportion."""

    def __init__(self, packed: io.BufferedReader, file: DataFile) -> None:
        self._packed, self._file = packed, file
        self._content = gzip.GzipFile(fileobj=packed, mode="rb")
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._content.read1(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            message = "the compressed file is damaged or was not copied as a whole"
            raise DataError(message, code="MR509", place=self._file.name, help=_PACKED) from error
        buffer[: len(chunk)] = chunk
        self._given += len(chunk)
        if self._given > max(FREELY_UNPACKED, MOST_UNPACKED * self._packed.tell()):
            message = f"the compressed file becomes more than {MOST_UNPACKED} times as large"
            raise DataError(message, code="MR509", place=self._file.name, help=_PACKED)
        return len(chunk)

    def close(self) -> None:
        self._content.close()
        self._packed.close()
        super().close()


_REGULAR = "give a file that you may read"
_PACKED = "unpack it yourself and look at what it holds"


def _unpacked(file: io.BufferedReader, of: DataFile) -> BinaryIO:
    return io.BufferedReader(_Unpacked(file, of), _BUFFER)


def _never_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(found.st_mode) else "a device or socket"
