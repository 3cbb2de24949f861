"""Numbers as people read them: three digits, thousands apart, times in hours and minutes of this place."""

from __future__ import annotations

import math
from datetime import datetime

_LARGE, _HUNDRED, _TEN = 1_000_000, 100, 10
_TEN_SECONDS = 9.95
"""What rounds to ten or more needs no decimals."""
_SIXTY = 60
NOTHING = "-"
"""Stands for what is not known."""


def figure(value: object) -> str:
    """Return a number with three digits (``0.60``, ``9.87``, ``310``); anything else as it is, None as ``-``.

    Below 1 there are two decimals: a share needs no more, and one row of a table lines up.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return _three_digits(value).replace("-0.00", "0.00")


def _three_digits(value: float) -> str:
    size = abs(float(f"{value:.3g}"))
    if size >= _LARGE:
        return f"{value:.3g}"
    if size >= _HUNDRED:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= _TEN else f"{value:.2f}"


def signed(value: float | None) -> str:
    """Return a difference with its sign; none where it rounds to nothing."""
    text = figure(value)
    return f"+{text}" if value is not None and value > 0 and text != "0.00" else text


def interval(low: float, high: float) -> str:
    """Return ``[low, high]``."""
    return f"[{figure(low)}, {figure(high)}]"


def count(value: int | None) -> str:
    """Return a whole number with its thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def counted(value: int, noun: str) -> str:
    """Return ``1 phase`` or ``3 phases``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent: ``16 %``, ``0.8 %``."""
    return f"{100 * part / max(1, whole):.2g} %"


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


def moment(text: str | None, now: datetime | None = None) -> str:
    """Return an ISO 8601 time in this place's: ``20 Nov 11:39``, of another year ``20 Nov 2025``."""
    try:
        then = datetime.fromisoformat(text or "").astimezone()
    except ValueError:
        return text or NOTHING
    this_year = (now or datetime.now().astimezone()).year == then.year
    return f"{then.day} {then:%b %H:%M}" if this_year else f"{then.day} {then:%b %Y}"
