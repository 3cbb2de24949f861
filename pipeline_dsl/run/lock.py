"""One process a run: a lock on a file in its folder, which the system lets go of when the process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline_dsl.api.errors import LockedError, MachineError

NAME = "run.lock"
"""Holds the pid of the process that works on the run; the file stays when that ends, the lock does not."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for the length of a block.

    Where the system has no such locks, whether a run is alive is told by its metadata alone.

    Raises:
        LockedError: another process, named by its pid, holds it.
        MachineError: the folder cannot be written.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise MachineError(f"cannot write {folder / NAME}: {error.strerror}") from error
    try:
        _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "another process"
        raise LockedError(
            f"the run {folder.name} is being worked on by process {holder}",
            help="wait for it, or end it first",
        ) from error
    except OSError:  # a file system without locks
        return
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
