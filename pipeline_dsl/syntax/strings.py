"""What the inside of a quoted string and of a text block means, and how a text is put in quotes."""

from __future__ import annotations

import re

ESCAPE = re.compile(r'\\([ntr\\"])')
SPECIAL = re.compile(r'[\\"\n\t\r]')
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
MEANING = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}


def unescape(text: str) -> str:
    r"""Replace ``\n \t \r \\ \"``; any other ``\c`` keeps both characters."""
    if "\\" not in text:
        return text
    return ESCAPE.sub(lambda match: MEANING[match[1]], text)


def quoted(text: str) -> str:
    r"""Read the inside of a quoted string; a line end inside it is ``\n`` in a CRLF file too."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return unescape(text)


def text_block(text: str) -> str:
    r"""The value of the inside of a text block, by the rule of Java's text blocks (JLS 3.10.6).

    The last line counts for the common indentation even when it is blank; other blank lines do not. White
    space at the end of a line goes. Escapes are read last, so that ``\n`` and ``\t`` survive.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    margin = margin_of(lines)
    return unescape("\n".join(line[margin:].rstrip(" \t") for line in lines))


def margin_of(lines: list[str]) -> int:
    """How much white space the lines of a text block have in common."""
    counted = [line for line in lines[:-1] if line.strip(" \t")] + lines[-1:]
    return min(len(line) - len(line.lstrip(" \t")) for line in counted)


def quote(text: str) -> str:
    """Write a text as one quoted string. Raises ValueError for NUL and for a lone surrogate."""
    if "\0" in text:
        message = "a NUL character cannot stand in a text"
        raise ValueError(message)
    if not text.isascii():
        text.encode("utf-8")
    return f'"{SPECIAL.sub(lambda found: ESCAPES[found[0]], text)}"'
