"""Ctrl-C is heeded whenever it comes, in the middle of a line that is being written too."""

from __future__ import annotations

import io
import os
import signal

import pytest

from pipeline_dsl.run.interrupt import Interrupts


class Screen(io.RawIOBase):
    """Is told by a signal, while it takes the first line, that the user wants to stop."""

    def __init__(self) -> None:
        self.shown = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        first = not self.shown
        self.shown += bytes(data)
        if first:
            os.kill(os.getpid(), signal.SIGINT)
        return len(data)


def test_a_signal_while_a_line_is_written_stops_after_the_step_and_is_told_then():
    screen = Screen()
    out = io.BufferedWriter(screen)

    def say(text: str) -> None:
        out.write(text.encode() + b"\n")
        out.flush()

    interrupts = Interrupts(say)
    with interrupts.watching(), interrupts.training():
        say("step 1 of 2")
        assert screen.shown == b"step 1 of 2\n"
        assert interrupts.heeded()
        assert screen.shown.startswith(b"step 1 of 2\nstopping after this step")
        told = screen.shown
        assert interrupts.heeded()
        assert screen.shown == told


def test_the_second_signal_stops_at_once():
    interrupts = Interrupts(lambda _: None)
    with interrupts.watching(), interrupts.training():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_goes_wrong_while_it_is_told_is_not_hidden():
    def say(_: str) -> None:
        raise RuntimeError("the disk is gone")

    interrupts = Interrupts(say)
    with interrupts.watching(), interrupts.training(), pytest.raises(RuntimeError, match="disk"):
        os.kill(os.getpid(), signal.SIGINT)
