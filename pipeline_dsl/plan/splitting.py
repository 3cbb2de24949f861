"""Splits: which part of its data a row belongs to. Equal groups always stay together.

The **group** of a row is what its ``group_by`` columns hold, else the whole row as its source gives it, so
that duplicates never stand on both sides. For comparing, text is folded to lower case with single spaces,
``1`` and ``1.0`` and ``"1"`` are one value, and the order of keys does not matter. A row whose ``group_by``
columns are all null or empty is a group of its own, like rows without ``group_by``.

Each group is drawn a number by the seed and its own value alone. Whole data is cut exactly: the groups are
ordered by their numbers and cut where the shares are met as nearly as whole groups allow. A stream is cut by
the number itself, a row being placed without a look at any other.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from pipeline_dsl.api.records import Row

_RANGE = 1 << 64


def group_of(raw: Row, row: Row, group_by: Sequence[str]) -> bytes:
    """Digest of the group of a row.

    Args:
        raw: the row as its source gives it.
        row: with its columns mapped.
        group_by: columns of ``row``.
    """
    values = [_folded(row.get(name)) for name in group_by]
    known = any(value not in ("", "null") for value in values)
    return _digest(json.dumps(values if known else _folded(raw), ensure_ascii=False))


def number_of(group: bytes, seed: int) -> int:
    """The number from 0 to 2**64 - 1 that a group is drawn."""
    return int.from_bytes(_digest(f"{seed}/split/{group.hex()}")[:8], "big")


def streamed_part(group: bytes, shares: Sequence[float], seed: int) -> int:
    """Index of the part of a group, by its number alone."""
    borders = [round(edge * _RANGE) for edge in accumulate(shares)][:-1]
    return bisect_right(borders, number_of(group, seed))


def exact_parts(sizes: Mapping[bytes, int], shares: Sequence[float], seed: int) -> dict[bytes, int]:
    """Index of the part of every group: shares as near as whole groups allow, no part empty.

    Args:
        sizes: rows of every group; at least as many groups as shares.
        shares: of the rows.
        seed: of the split.
    """
    order = sorted(sizes, key=lambda group: (number_of(group, seed), group))
    ends = [0, *accumulate(sizes[group] for group in order)]
    cuts = [0]
    for number, share in enumerate(accumulate(shares[:-1]), 1):
        least, most = cuts[-1] + 1, len(order) - (len(shares) - number)
        cuts.append(min(range(least, most + 1), key=lambda cut: abs(ends[cut] - share * ends[-1])))
    return {group: bisect_right(cuts, index) - 1 for index, group in enumerate(order)}


def _folded(value: Any) -> str:
    """A value as text that is the same for what means the same."""
    match value:
        case str():
            return " ".join(unicodedata.normalize("NFC", value).casefold().split())
        case float() if math.isfinite(value) and value.is_integer():
            return str(int(value))
        case list() | tuple():
            return json.dumps([_folded(item) for item in value], ensure_ascii=False)
        case Mapping():
            items = sorted((str(key), _folded(item)) for key, item in value.items())
            return json.dumps(items, ensure_ascii=False)
        case _:
            return json.dumps(value, default=str)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
