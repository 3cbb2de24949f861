"""Which samples begin with the same tokens, so that these need to be computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SHORTEST = 8
"""Tokens that samples have to begin with together: fewer are not worth a call of their own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Samples that share a beginning."""

    members: tuple[int, ...]
    """Places of the samples."""
    shared: int
    """Tokens that all of them begin with; 0 for a sample that stands alone."""


def groups_of(rows: Sequence[Sequence[int]], *, share: bool) -> list[Group]:
    """Split sequences of tokens into groups so that most tokens are computed once.

    In the order of their tokens, those with a common beginning stand together, so that the best split is one
    into stretches: found exactly, by dynamic programming over where the last stretch begins. Every member
    keeps at least one token of its own.
    """
    if not share or len(rows) < 2:  # noqa: PLR2004 - one has nobody to share with
        return [Group((place,), 0) for place in range(len(rows))]
    order = sorted(range(len(rows)), key=lambda place: (list(rows[place]), place))
    alike = [_alike(rows[a], rows[b]) for a, b in pairwise(order)]
    starts = _best_starts([len(rows[place]) for place in order], alike)
    bounds = [*starts, len(order)]
    groups = []
    for begin, end in pairwise(bounds):
        shared = _shared([len(rows[place]) for place in order[begin:end]], alike[begin : end - 1])
        groups.append(Group(tuple(order[begin:end]), shared))
    return sorted(groups, key=lambda group: min(group.members))


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with together."""
    most = min(len(one), len(other))
    low, high = 0, most
    while low < high:  # slices compare in C
        middle = (low + high + 1) // 2
        if list(one[low:middle]) == list(other[low:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _shared(lengths: Sequence[int], alike: Sequence[int]) -> int:
    """Tokens that a stretch shares: 0 where it is too short to share any."""
    if not alike:
        return 0
    shared = min(*alike, *(length - 1 for length in lengths))
    return shared if shared >= SHORTEST else 0


def _best_starts(lengths: Sequence[int], alike: Sequence[int]) -> list[int]:
    """Where the stretches of the best split begin: it saves most tokens, with the fewest stretches."""
    best: list[tuple[int, int]] = [(0, 0)]  # saved tokens and -stretches up to a place
    begins = [0]
    for end in range(1, len(lengths) + 1):
        found = (-1, 0)
        begin_of = 0
        low, shortest = 1 << 60, 1 << 60
        for begin in range(end - 1, -1, -1):
            shortest = min(shortest, lengths[begin] - 1)
            if begin < end - 1:
                low = min(low, alike[begin])
                if min(low, shortest) < SHORTEST:
                    break
            saved = (end - begin - 1) * min(low, shortest) if begin < end - 1 else 0
            option = (best[begin][0] + saved, best[begin][1] - 1)
            if option > found:
                found, begin_of = option, begin
        best.append(found)
        begins.append(begin_of)
    starts, end = [], len(lengths)
    while end:
        end = begins[end]
        starts.append(end)
    return starts[::-1]
