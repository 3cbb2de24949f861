"""How much memory a model's process holds: of the process on a CPU, of the device on a GPU."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from pipeline_dsl.api import Memory

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


def start_counting(device: str) -> None:
    """Forget earlier peaks: a model is about to be loaded.

    On a CPU the kernel counts, exactly and at no cost, and Linux lets a process set its own peak back
    (proc(5), ``clear_refs``); what others read as this process's peak begins anew with it. Where that is not
    allowed, peaks are those since the process began.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        _RESET.write_text("5", encoding="ascii")


def memory(device: str) -> Memory:
    """Return what is held now, and the most since ``start_counting``."""
    if device.startswith("cuda"):
        return Memory(
            kind="cuda",
            used=torch.cuda.memory_allocated(device),
            peak=torch.cuda.max_memory_allocated(device),
        )
    used = int(psutil.Process().memory_info().rss)
    return Memory(kind="rss", used=used, peak=max(used, _peak()))


def _peak() -> int:
    """Return the process's peak in bytes; where the system does not tell it, 0."""
    try:
        found = _PEAK.search(_STATUS.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return _peak_elsewhere()
    return int(found[1]) * 1024 if found else 0


def _peak_elsewhere() -> int:
    """Return the peak since the process began: Windows keeps it beside the size, macOS in getrusage."""
    told = getattr(psutil.Process().memory_info(), "peak_wset", None)
    if told is not None:
        return int(told)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
