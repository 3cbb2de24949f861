"""The micro-batches of a stream: a pure function of the seed and the stream, and where to go on in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count, islice, repeat
from pathlib import Path

from torch.utils.data import Dataset

from medrecipe_plugins.trainers._batches import WINDOW, batches_of, padded
from pipeline_dsl.api import Prepared, TrainingStream

_FILE = "stream.json"


class StreamBatches(Dataset[Prepared]):  # type: ignore[misc]  # torch is not followed
    """A dataset whose indices are the samples themselves, in one epoch of a known number of steps.

    Samples are read a window of some micro-batches at a time. A checkpoint holds the position in the stream
    at which the window of the next micro-batch begins.

    Args:
        stream: the samples.
        steps: optimizer steps of the training.
        grad_accum: micro-batches in an optimizer step.
        batch_size: samples in a micro-batch.
        group_by_length: whether samples of like length share a micro-batch.
        seed: of the order of micro-batches within a window.
        checkpoint: where to go on from, and the optimizer steps done there; None for the beginning.
    """

    def __init__(
        self,
        stream: TrainingStream,
        *,
        steps: int,
        grad_accum: int,
        batch_size: int,
        group_by_length: bool,
        seed: int,
        checkpoint: tuple[Path, int] | None,
    ) -> None:
        self._stream = stream
        self._number = steps * grad_accum
        self._accum = grad_accum
        self._batch_size = batch_size
        self._group = group_by_length
        self._seed = seed
        self._done = checkpoint[1] * grad_accum if checkpoint else 0
        self._begins = {self._done // WINDOW: _position(checkpoint[0]) if checkpoint else 0}
        self._window: list[list[Prepared]] = []

    def set_epoch(self, number: int) -> None:
        """Nothing: there is one epoch."""

    def __len__(self) -> int:
        return self._number * self._batch_size

    def __getitem__(self, index: Prepared) -> Prepared:
        return index

    @property
    def number(self) -> int:
        """Micro-batches of the training."""
        return self._number

    @property
    def order(self) -> Iterator[Sequence[Prepared]]:
        """All micro-batches; those that were done before a resume, which the Trainer skips, are empty."""
        yield from repeat((), self._done)
        skipped = self._done % WINDOW
        yield from islice(self._read(self._done // WINDOW), skipped, skipped + self._number - self._done)

    def largest(self) -> Sequence[Prepared]:
        """The micro-batch of the largest padded size of the window that was read last."""
        return max(self._window, key=padded, default=())

    def write(self, folder: Path, step: int) -> None:
        """Put into a checkpoint where the window of the next micro-batch begins."""
        window = step * self._accum // WINDOW
        self._begins = {number: at for number, at in self._begins.items() if number >= window}
        (folder / _FILE).write_text(json.dumps({"position": self._begins[window]}) + "\n", encoding="utf-8")

    def _read(self, window: int) -> Iterator[Sequence[Prepared]]:
        """Micro-batches from the beginning of a window on."""
        samples = self._stream.since(self._begins[window])
        for number in count(window):
            taken = list(islice(samples, WINDOW * self._batch_size))
            self._begins[number + 1] = taken[-1][0]
            items = [sample for _, sample in taken]
            key = f"{self._seed}/{number}"
            cut = batches_of(items, self._batch_size, key, group=self._group)
            self._window = [[items[place] for place in places] for places in cut]
            yield from self._window


def _position(checkpoint: Path) -> int:
    return int(json.loads((checkpoint / _FILE).read_text(encoding="utf-8"))["position"])
