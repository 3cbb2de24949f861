"""Comparable forms of texts."""

from __future__ import annotations

import unicodedata

from pipeline_dsl.api import Observation, Sample

_HANGUL = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FF))


def expected(sample: Sample) -> str:
    """What a scorer compares with."""
    return sample.answer or sample.completion


def produced(observation: Observation) -> str:
    """The text that a model wrote; a metric that needs none does not ask."""
    return observation.text or ""


def folded(text: str) -> str:
    """NFC, with white space folded to single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def words(text: str) -> list[str]:
    """Lower-case tokens between white space, punctuation counted as white space."""
    lower = unicodedata.normalize("NFC", text).lower()
    return "".join(" " if unicodedata.category(c).startswith("P") else c for c in lower).split()


def hangul_share(text: str) -> float:
    """Share of the letters that are Hangul; 0 for a text without letters."""
    letters = [ord(c) for c in text if unicodedata.category(c).startswith("L")]
    hangul = sum(any(low <= code <= high for low, high in _HANGUL) for code in letters)
    return hangul / len(letters) if letters else 0.0
