"""A text file of which a piece is in memory, and where in the file that piece stands."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from medrecipe_plugins.data._lines import encoding_help
from pipeline_dsl.api import DataError

_CHUNK = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
"""What may stand between the parts of a JSON text."""


class Window:
    """The characters of a UTF-8 file from some place on, as many as were read."""

    def __init__(self, content: BinaryIO, name: str) -> None:
        """Stand at the beginning; ``name`` is what messages call the file."""
        self.text = ""
        """From the place where it stands."""
        self._content, self._name = content, name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self._line, self._column = 1, 1

    def read(self) -> bool:
        """Read on a bit; False at the end of the file.

        Raises:
            DataError: MR503, a byte is NUL or not UTF-8; all that reading the file raises.
        """
        chunk = self._content.read(_CHUNK)
        is_first, self._bytes = self._bytes == 0, self._bytes + len(chunk)
        if (nul := chunk.find(b"\0")) >= 0:
            raise self._unreadable(self._bytes - len(chunk) + nul, "NUL", chunk)
        try:
            text = self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = self._bytes - len(error.object) + error.start
            raise self._unreadable(at, "not UTF-8", error.object) from error
        self.text += text.removeprefix("\ufeff") if is_first else text
        return bool(chunk)

    def peek(self) -> str:
        """Move on to what is no white space and return that character; "" at the end of the file."""
        while True:
            self.take(_SPACE.match(self.text).end())  # type: ignore[union-attr]  # it matches anything
            if self.text or not self.read():
                return self.text[:1]

    def take(self, count: int = 1) -> str:
        """Move on by some of the characters that were read, and return them."""
        taken, self.text = self.text[:count], self.text[count:]
        self._line, self._column = self._after(taken)
        return taken

    def place(self, offset: int = 0) -> str:
        """Name the line and column of one of the characters that were read, both from 1."""
        line, column = self._after(self.text[:offset])
        return f"{self._name}:{line}:{column}"

    def _after(self, passed: str) -> tuple[int, int]:
        lines = passed.count("\n")
        if not lines:
            return self._line, self._column + len(passed)
        return self._line + lines, len(passed) - passed.rindex("\n")

    def _unreadable(self, at: int, what: str, near: bytes) -> DataError:
        message = f"byte {at + 1} of the file is {what}"
        return DataError(message, code="MR503", place=self._name, help=encoding_help(near))
