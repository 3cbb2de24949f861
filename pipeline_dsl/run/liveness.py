"""Whether the process that wrote a run's facts still lives: pid, process start and boot must be the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TOLERANCE_SECONDS = 2.0
"""The start of a process is reckoned from the boot time, which moves a little when the clock is set."""


def this_process() -> dict[str, Any]:
    """Return the facts by which this process is known later: pid, process_start, boot_id, host."""
    import psutil

    return {
        "pid": os.getpid(),
        "process_start": psutil.Process().create_time(),
        "boot_id": _boot_id(),
        "host": host(),
    }


def host() -> str:
    """Return the name of this machine."""
    import platform

    return platform.node()


def alive(facts: Mapping[str, Any]) -> bool:
    """Return whether the process of these facts lives on this machine.

    A pid that was given to another process, a start before the last boot, another machine: not alive.
    """
    pid, start = facts.get("pid"), facts.get("process_start")
    if facts.get("host") != host() or facts.get("boot_id") != _boot_id():
        return False
    if not isinstance(pid, int) or isinstance(pid, bool) or not isinstance(start, int | float) or pid <= 0:
        return False
    import psutil

    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - start) <= _START_TOLERANCE_SECONDS
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _boot_id() -> str:
    """What changes with every boot: the kernel's own id or, on systems without one, the time of the boot."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time()))
