"""Numbers as people read them: four digits, thousands apart, times in hours and minutes."""

from __future__ import annotations

import math

_LEAST_PLAIN = 1e-4
"""Smaller figures are shorter as a power of ten."""
_TEN_SECONDS = 9.95
"""What rounds to ten or more needs no decimals."""
_SIXTY = 60
NOTHING = "-"
"""Stands for what is not known."""


def figure(value: object) -> str:
    """Return a number with four significant digits; anything else as it is, nothing as ``-``."""
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return f"{value:.4g}" if value == 0 or abs(value) >= _LEAST_PLAIN else f"{value:.1e}"


def change(after: float, before: float) -> str:
    """Return a difference with its sign."""
    return f"{after - before:+.4g}"


def interval(low: float, high: float) -> str:
    """Return ``[low, high]``."""
    return f"[{figure(low)}, {figure(high)}]"


def count(value: int | None) -> str:
    """Return a whole number with its thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def counted(value: int, noun: str) -> str:
    """Return ``1 phase`` or ``3 phases``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Return a time span: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds is None:
        return NOTHING
    if seconds < _TEN_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _SIXTY:
        return f"{whole} s"
    minutes, rest = divmod(whole, _SIXTY)
    if minutes < _SIXTY:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // _SIXTY} h {minutes % _SIXTY:02} min"
