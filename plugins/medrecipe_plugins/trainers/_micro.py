"""How many samples go through the model at once: fewer from the step on in which memory did not suffice."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from pathlib import Path

import torch

from medrecipe_plugins.trainers import _seals
from pipeline_dsl.api import MachineError

FILE = "micro_batches.json"
_SIGNS = ("DefaultCPUAllocator", "CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch says where it raises a bare RuntimeError for want of memory."""


@dataclass(frozen=True, slots=True)
class Change:
    """From one step on, counted from 1, a micro-batch has at most so many samples."""

    step: int
    size: int


class MicroBatches:
    """The sizes of a training's micro-batches, step by step.

    A change is on disk, beside the checkpoints, before the step in which it comes is done; a checkpoint has
    all that came before it. So a resumed training makes every change at its step again, with any memory.

    Args:
        folder: where the checkpoints go.
        asked: samples in a micro-batch, as long as memory suffices.
        checkpoint: from which training goes on, if it does.
        resume: whether changes count that were made before.
    """

    def __init__(self, folder: Path, asked: int, checkpoint: Path | None, *, resume: bool) -> None:
        self._file = folder / FILE
        self._asked = asked
        sealed = _read(checkpoint / FILE) if checkpoint else ()
        beside = _read(self._file) if resume else ()
        self._changes = sorted({*sealed, *beside}, key=astuple)
        if not resume:
            self._file.unlink(missing_ok=True)

    def at(self, step: int) -> int:
        """Samples that may go through the model at once in a step."""
        return min([self._asked, *(c.size for c in self._changes if c.step <= step)])

    def last(self, step: int) -> Change | None:
        """The change that counts after so many steps; None where memory sufficed."""
        past = [c for c in self._changes if c.step <= step]
        return min(past, key=lambda c: (c.size, c.step), default=None)

    def halve(self, step: int) -> int:
        """Halve the micro-batches from a step on; return their size.

        Raises:
            MachineError: they have one sample each.
        """
        size = self.at(step) // 2
        if size == 0:
            message = "the device's memory does not suffice for a training step, one sample at a time"
            help_ = "set gradient_checkpointing: true, a smaller max_length, or quantise the base"
            raise MachineError(message, help=help_)
        self._changes.append(Change(step, size))
        self._write(self._file)
        return size

    def write(self, folder: Path, step: int) -> None:
        """Put the changes so far into a checkpoint of a step."""
        self._write(folder / FILE, step)

    def _write(self, path: Path, step: int | None = None) -> None:
        changes = [astuple(c) for c in self._changes if step is None or c.step <= step]
        _seals.write_whole(path, json.dumps({"asked": self._asked, "changes": changes}) + "\n")


def wants_memory(error: RuntimeError) -> bool:
    """Whether torch raised an error since memory does not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)


def _read(path: Path) -> tuple[Change, ...]:
    """The changes in a file; none where it is not there, or is none of ours."""
    try:
        changes = json.loads(path.read_text(encoding="utf-8"))["changes"]
        return tuple(Change(int(step), max(1, int(size))) for step, size in changes)
    except (OSError, ValueError, KeyError, TypeError):
        return ()
