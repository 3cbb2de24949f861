"""What a piece of bare text means: a keyword, a number or a string."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.terminals import FLOAT, INTEGER, LOOKALIKE

Word: TypeAlias = "tuple[str, bool | int | float | str | None]"
"""The type of the token and its value."""

KEYWORDS: Mapping[str, bool | None] = MappingProxyType(
    {"true": True, "false": False, "null": None, "nil": None}
)
NUMBER_START = frozenset("0123456789+-.")
SMALLEST, LARGEST = -(2**63), 2**63 - 1
MAX_DIGITS = 19
MAX_SHOWN = 40


class NotANumberError(ValueError):
    """A word that looks like a number but cannot be read as one without loss."""

    def __init__(self, code: Code, message: str, advice: str, number: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice
        self.number = number
        """How the number that is certainly meant is written."""


def classify(text: str) -> Word:
    """Read one trimmed piece of bare text; raises NotANumberError for what only looks like a number."""
    if text[0] in NUMBER_START:
        return _number(text)
    if text in KEYWORDS:
        return "KEYWORD", KEYWORDS[text]
    return "BARE", text


def _number(text: str) -> Word:
    if INTEGER.fullmatch(text):
        return "NUMBER", _integer(text)
    if FLOAT.fullmatch(text):
        return "NUMBER", _float(text)
    if LOOKALIKE.fullmatch(text):
        number = _spelt(text)
        raise NotANumberError(
            Code.NOT_A_NUMBER,
            f"`{_short(text)}` looks like a number but is none",
            f'write `{_short(number)}` for the number, or "{_short(text)}" with quotes for text',
            number if text[-1] not in "eE+-" and _is_number(number) else None,
        )
    return "BARE", text


def _integer(text: str) -> int:
    digits = text.lstrip("-").replace("_", "").lstrip("0") or "0"
    value = int(digits) if len(digits) <= MAX_DIGITS else LARGEST + 2
    value = -value if text[0] == "-" else value
    if not SMALLEST <= value <= LARGEST:
        raise NotANumberError(
            Code.BIG_INTEGER,
            f"`{_short(text)}` does not fit 64 bits",
            f'write `{_short(text)}.0` for a float, or "{_short(text)}" with quotes for text',
        )
    return value


def _float(text: str) -> float:
    value = float(text)
    lost = value == 0 and any(digit in "123456789" for digit in text.lower().partition("e")[0])
    if math.isinf(value) or lost:
        raise NotANumberError(
            Code.FLOAT_RANGE,
            f"`{_short(text)}` is too {'small' if lost else 'large'} for a 64-bit float",
            f'write "{_short(text)}" with quotes for text; floats reach from about 1e-308 to 1e308',
        )
    return value


def _is_number(text: str) -> bool:
    try:
        return classify(text)[0] == "NUMBER"
    except NotANumberError:
        return False


def _spelt(text: str) -> str:
    """How a number that is written in another way is written here."""
    mantissa, mark, exponent = text.lower().lstrip("+").partition("e")
    sign = "-" if mantissa[:1] == "-" else ""
    whole, dot, part = mantissa.lstrip("-").partition(".")
    whole, part = (_digits(piece) or "0" for piece in (whole, part))
    number = sign + whole + (f".{part}" if dot else "")
    power = exponent.replace("_", "").lstrip("+")
    if mark:
        number += f"e{power}" if power.strip("-") else "e0"
    return number


def _digits(text: str) -> str:
    return "_".join(piece for piece in text.split("_") if piece)


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
