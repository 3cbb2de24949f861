"""Markdown and YAML in which names from recipes and files are text and nothing else."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence

_MEANS_SOMETHING = frozenset("\\`*_[]<>&|~#!$")
_PLAIN = re.compile(r"[\w .,:;/@#+=%()'\"?\\-]+")
_WITHIN_A_WORD = re.compile(r"(?<=[^\W_])_(?=[^\W_])")
_PLAIN_YAML = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_HUNDRED, _TEN = 100, 10


def inert(text: object) -> str:
    """Return a text that renders as itself on one line, whatever stands in it."""
    shown = _WITHIN_A_WORD.sub("\0", _visible(str(text)))
    return "".join(f"&#{ord(c)};" if c in _MEANS_SOMETHING else c for c in shown).replace("\0", "_")


def code(text: object) -> str:
    """Return a text as code; as inert text where signs in it could end the code or begin a cell."""
    shown = _visible(str(text))
    return f"`{shown}`" if _PLAIN.fullmatch(shown) else inert(shown)


def codes(texts: Sequence[object]) -> str:
    """Return several texts as code, with commas."""
    return ", ".join(code(text) for text in texts)


def fenced(text: str) -> str:
    """Return a text as a block of its own, with a fence that does not stand in it."""
    shown = "".join(c if c == "\n" or unicodedata.category(c) not in _UNSEEN else " " for c in text)
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}text\n{shown}\n{fence}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are Markdown, in which no ``|`` may stand."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def scalar(text: str) -> str:
    """Return a text as YAML reads it back, as one scalar on one line."""
    if _PLAIN_YAML.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if unicodedata.category(c) not in _UNSEEN else f"\\U{ord(c):08x}" for c in quoted)


def figure(value: float) -> str:
    """Return a number with three digits, and two decimals below ten."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    return f"{value:,.0f}" if size >= _HUNDRED else f"{value:.1f}" if size >= _TEN else f"{value:.2f}"


def size(bytes_: int) -> str:
    """Return an amount of bytes: ``812 kB``, ``2.4 MB``, ``54 GB``."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes_ >= unit:
            return f"{bytes_ / unit:.3g} {name}"
    return f"{bytes_} bytes"


def _visible(text: str) -> str:
    """A text on one line, without what cannot be seen or turns the direction of reading."""
    return " ".join("".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text).split())
