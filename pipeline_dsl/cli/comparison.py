"""Whether a score changed: better or worse is said only where the 95 % intervals do not overlap."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pipeline_dsl.api.records import Score


class Change(Enum):
    """What became of a score."""

    NONE = "none"
    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    """Another value, but chance alone could have made it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A value and its 95 % interval, None where that is not known."""

    value: float
    bounds: tuple[float, float] | None

    @classmethod
    def of(cls, score: Score) -> Measured:
        """Take value and interval of a score."""
        return cls(value=score.value, bounds=(score.low, score.high))


def change(before: Measured, after: Measured, *, higher_is_better: bool) -> Change:
    """Say what became of a score."""
    if after.value == before.value:
        return Change.NONE
    if not _apart(before.bounds, after.bounds):
        return Change.UNCLEAR
    return Change.BETTER if (after.value > before.value) is higher_is_better else Change.WORSE


def _apart(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return False
    return one[1] < other[0] or other[1] < one[0]
