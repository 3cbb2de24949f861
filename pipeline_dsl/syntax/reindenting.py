"""Texts over several lines at another indentation, with the same value."""

from __future__ import annotations

from pipeline_dsl.syntax.strings import margin_of, quoted, text_block

_QUOTES = '"""'


def reindented(text: str, indent: int) -> str:
    """Write a token at an indentation: the lines of a text block move, those of a quoted text cannot.

    Line ends become line feeds, where that leaves the value as it is.
    """
    if "\n" not in text:
        return text
    if not text.startswith(_QUOTES):
        changed = text.replace("\r\n", "\n")
        return changed if quoted(changed) == quoted(text) else text
    inside = text[text.index("\n") + 1 : -len(_QUOTES)]
    moved = _moved(inside, " " * indent)
    return f"{_QUOTES}\n{moved}{_QUOTES}" if text_block(moved) == text_block(inside) else text


def _moved(inside: str, indent: str) -> str:
    lines = inside.replace("\r\n", "\n").split("\n")
    margin = margin_of(lines)
    *body, last = [line[margin:] for line in lines]
    stripped = [line.rstrip(" \t") for line in body]
    return "".join(f"{indent}{line}\n" if line else "\n" for line in stripped) + indent + _last(last)


def _last(line: str) -> str:
    """Trim the line of the closing quotes: a backslash or a quote at its end must not touch them."""
    stripped = line.rstrip(" \t")
    return f"{stripped} " if stripped != line and stripped.endswith(("\\", '"')) else stripped
