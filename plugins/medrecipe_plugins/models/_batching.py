"""Group sequences into padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield groups of indices, longest first, whose padded size stays within ``budget`` tokens."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    start = 0
    while start < len(order):
        width = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + width]
        start += width


def pad(
    rows: Sequence[Sequence[int]], fill: int, side: Literal["left", "right"], device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and attention mask, both (rows, longest); the mask goes by length, never by id."""
    longest = max(len(row) for row in rows)
    ids, mask = [], []
    for row in rows:
        gap = longest - len(row)
        before, after = (gap, 0) if side == "left" else (0, gap)
        ids.append([fill] * before + list(row) + [fill] * after)
        mask.append([0] * before + [1] * len(row) + [0] * after)
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
