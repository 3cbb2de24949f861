"""How much memory a model's process holds: of the process on a CPU, of the device on a GPU."""

from __future__ import annotations

import ctypes
import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from pipeline_dsl.api import Memory

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _KEPT = -1, -3, 2**30
"""Of mallopt(3): how much may lie free at the end of the heap, and what sizes are mapped by themselves."""


def start_counting(device: str) -> None:
    """Forget earlier peaks, and have freed memory kept for what comes next: a model is about to be loaded.

    On a CPU the kernel counts, exactly and at no cost, and Linux lets a process set its own peak back
    (proc(5), ``clear_refs``); what others read as this process's peak begins anew with it. Where that is not
    allowed, peaks are those since the process began.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        return
    _keep_freed()
    give_back()
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
    give_back()
    used = int(psutil.Process().memory_info().rss)
    return Memory(kind="rss", used=used, peak=max(used, _peak()))


def give_back() -> None:
    """Return freed memory to the system, where the C library keeps it."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _keep_freed() -> None:
    """Have the C library keep up to 1 GiB of what is freed.

    A forward on a CPU frees tens of megabytes with each layer and asks for them again in the next. By itself
    glibc gives them to the system and gets them back page by page, which a likelihood evaluation spends a
    tenth of its time on. Other C libraries do as they do.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_THRESHOLD, _KEPT)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library of this process, where it is glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "malloc_trim") else None


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
