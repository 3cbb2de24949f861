"""95 % intervals: Wilson's for shares, the percentile bootstrap for everything else. Deterministic."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
RESAMPLES = 1000


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share.

    Centre (p + z²/2n) / (1 + z²/n), half width z/(1 + z²/n) · sqrt(p(1-p)/n + z²/4n²). The ends of none
    and of all are 0 and 1 exactly, where rounding would leave 3e-17.
    """
    share, square = successes / n, Z * Z / n
    centre = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / n + square / (4 * n))
    low = max(0.0, centre - half) if successes > 0 else 0.0
    high = min(1.0, centre + half) if successes < n else 1.0
    return low, high


def bootstrap(items: Sequence[Item], statistic: Callable[[Sequence[Item]], float]) -> tuple[float, float]:
    """Percentile interval of a statistic over items drawn with replacement (Efron 1979).

    The value on the items themselves is always inside.
    """
    chooser = random.Random(0)  # noqa: S311 - a reproducible sample, not a secret
    drawn = sorted(statistic(chooser.choices(items, k=len(items))) for _ in range(RESAMPLES))
    value = statistic(items)
    low, high = drawn[round(0.025 * (RESAMPLES - 1))], drawn[round(0.975 * (RESAMPLES - 1))]
    return min(low, value), max(high, value)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean."""
    return math.fsum(values) / len(values)
