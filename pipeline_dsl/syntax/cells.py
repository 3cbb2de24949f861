"""How wide a text is on a terminal."""

from __future__ import annotations

import unicodedata

_HANGUL_VOWELS_AND_FINALS = range(0x1160, 0x1200)
"""Conjoining jamo that terminals draw onto the consonant before them."""


def cells(text: str) -> int:
    """Return how many terminal cells a text takes: wide letters such as Hangul two, combining marks none."""
    return len(text) if text.isascii() else sum(cells_of(c) for c in text)


def cells_of(character: str) -> int:
    """Return how many cells one character takes."""
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or ord(character) in _HANGUL_VOWELS_AND_FINALS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
