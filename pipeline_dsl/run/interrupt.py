"""Ctrl-C and SIGTERM: the first finishes the step and writes a checkpoint, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether the user asked to stop. Outside of training the first signal stops at once: nothing is lost."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.requested = False
        self._training = False
        self._say = say

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take over the signals while a run lasts (in the main thread, the only one that may)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Mark the stretch in which a step can be finished and a checkpoint written."""
        self._training = True
        try:
            yield
        finally:
            self._training = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._training or self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._say("stopping after this step, with a checkpoint; once more stops at once")
