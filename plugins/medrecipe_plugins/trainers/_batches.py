"""The micro-batches of an epoch: a pure function of seed and epoch that draws no random number."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from pipeline_dsl.api import Prepared

IGNORED = -100
WINDOW = 32
"""Micro-batches within which samples are sorted by length: the recipe's order holds beyond it."""


class Batches(Protocol):
    """The micro-batches of a training, as the Trainer's loop asks for them."""

    @property
    def number(self) -> int:
        """Micro-batches an epoch."""

    @property
    def order(self) -> Iterator[Sequence[Any]]:
        """The current epoch's micro-batches: what the dataset is asked for, item by item."""

    def __len__(self) -> int:
        """Samples an epoch."""

    def __getitem__(self, index: Any) -> Prepared:
        """One item of a micro-batch."""

    def set_epoch(self, number: int) -> None:
        """Make the 0-based epoch the current one."""

    def largest(self) -> Sequence[Prepared]:
        """The micro-batch of the largest padded size, of those that are known now; empty for none."""

    def write(self, folder: Path, step: int) -> None:
        """Put into a checkpoint what is needed to go on after a step."""


class EpochBatches(Dataset[Prepared]):  # type: ignore[misc]  # torch is not followed
    """A dataset that knows its micro-batches: samples by their place in the current epoch.

    Args:
        epoch: from a 0-based number to that epoch's samples; always ``count`` of them.
        count: samples an epoch.
        batch_size: samples in a micro-batch; the last one may be smaller.
        group_by_length: whether samples of like length share a micro-batch.
        seed: of the order of micro-batches within a window.
    """

    def __init__(
        self,
        epoch: Callable[[int], Sequence[Prepared]],
        *,
        count: int,
        batch_size: int,
        group_by_length: bool,
        seed: int,
    ) -> None:
        self._epoch = epoch
        self._count = count
        self._batch_size = batch_size
        self._group = group_by_length
        self._seed = seed
        self._items: Sequence[Prepared] = ()
        self._batches: list[list[int]] = []

    def set_epoch(self, number: int) -> None:
        """Make the 0-based epoch the current one."""
        self._items = self._epoch(number)
        key = f"{self._seed}/{number}"
        self._batches = batches_of(self._items, self._batch_size, key, group=self._group)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Prepared:
        return self._items[index]

    def largest(self) -> Sequence[Prepared]:
        """The micro-batch of the largest padded size of the current epoch."""
        return max(
            ([self._items[place] for place in batch] for batch in self._batches), key=padded, default=()
        )

    def write(self, folder: Path, step: int) -> None:
        """Nothing: where an epoch goes on is known from the step."""

    @property
    def order(self) -> Iterator[Sequence[int]]:
        """The current epoch's micro-batches: places in its order of samples."""
        return iter(self._batches)

    @property
    def number(self) -> int:
        """Micro-batches an epoch."""
        return -(-self._count // self._batch_size)


class BatchSampler:
    """The micro-batches of whichever epoch is current, for a DataLoader."""

    def __init__(self, source: Batches) -> None:
        self._source = source

    def __len__(self) -> int:
        return self._source.number

    def __iter__(self) -> Iterator[Sequence[int]]:
        return self._source.order


def batches_of(items: Sequence[Prepared], size: int, key: str, *, group: bool) -> list[list[int]]:
    """Cut samples into micro-batches: ``batches`` with what tells one sample from another."""
    names = [(item.id, item.start, len(item.ids)) for item in items]
    return batches([len(item.ids) for item in items], size, key, group=group, names=names)


def batches(
    lengths: Sequence[int], size: int, key: str, *, group: bool, names: Sequence[Hashable] = ()
) -> list[list[int]]:
    """Cut places 0 … n-1 into micro-batches.

    Grouped: within windows of some micro-batches the longest come together, and the micro-batches of a
    window follow each other in an order that depends on ``key`` alone. A window in which samples of the same
    name stand more than once is grouped copy by copy: copies meet in one micro-batch at most where one round
    of them ends and the next begins.
    """
    places = list(range(len(lengths)))
    if not group:
        return [places[at : at + size] for at in range(0, len(places), size)]
    made: list[list[int]] = []
    chooser = random.Random(key)  # noqa: S311 - an order, not a secret
    for at in range(0, len(places), size * WINDOW):
        taken = places[at : at + size * WINDOW]
        copies = _copies([names[place] for place in taken] if names else taken)
        ranks = {place: (copy, -lengths[place]) for place, copy in zip(taken, copies, strict=True)}
        window = sorted(taken, key=ranks.__getitem__)
        cut = [window[start : start + size] for start in range(0, len(window), size)]
        whole = [batch for batch in cut if len(batch) == size]
        chooser.shuffle(whole)
        made += whole + [batch for batch in cut if len(batch) < size]
    return made


def _copies(names: Sequence[Hashable]) -> list[int]:
    """For each name how often it stood before."""
    seen: Counter[Hashable] = Counter()
    found = []
    for name in names:
        found.append(seen[name])
        seen[name] += 1
    return found


def collate(items: Sequence[Prepared]) -> dict[str, torch.Tensor]:
    """Pad on the right. ``labels[i, t]`` is the token that follows position t, or ``IGNORED``.

    Labels are masked by length, so that a padding token that is also an end mark hides nothing.
    """
    longest = max(len(item.ids) for item in items)
    shape = (len(items), longest)
    ids = torch.zeros(shape, dtype=torch.long)
    mask = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORED, dtype=torch.long)
    for row, item in enumerate(items):
        length = len(item.ids)
        tokens = torch.tensor(item.ids, dtype=torch.long)
        ids[row, :length] = tokens
        mask[row, :length] = 1
        labels[row, item.start - 1 : length - 1] = tokens[item.start :]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def padded(items: Sequence[Prepared]) -> int:
    """Tokens of a micro-batch with its padding."""
    return len(items) * max((len(item.ids) for item in items), default=0)


def loader(source: Batches, collate_fn: Callable[[Sequence[Prepared]], Any] = collate) -> DataLoader[Any]:
    """A DataLoader in this process, with a generator of its own so that it draws from nobody's."""
    return DataLoader(
        source,
        batch_sampler=BatchSampler(source),
        collate_fn=collate_fn,
        num_workers=0,
        pin_memory=False,
        generator=torch.Generator().manual_seed(0),
    )
