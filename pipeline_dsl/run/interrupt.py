"""Ctrl-C and SIGTERM: the first finishes the step and writes a checkpoint, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = "stopping after this step, with a checkpoint; once more stops at once"


class Interrupts:
    """Whether the user asked to stop. Outside of training the first signal stops at once: nothing is lost."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._requested = self._unsaid = False
        self._training = False
        self._say = say

    def heeded(self) -> bool:
        """Say what could not be said when the signal came, and return whether to stop after this step."""
        if self._unsaid:
            self._unsaid = False
            self._say(_STOPPING)
        return self._requested

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
        if not self._training or self._requested:
            raise KeyboardInterrupt
        self._requested = True
        try:
            self._say(_STOPPING)
        except RuntimeError as error:
            if "reentrant" not in str(error):
                raise
            self._unsaid = True  # a line was being written, into which none can be put
