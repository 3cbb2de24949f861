"""Devices and number formats of this machine."""

from __future__ import annotations

import time
from functools import cache

import torch

from pipeline_dsl.api import MachineError, Precision

_WORTH_IT = 1.2
"""How many times as fast a CPU has to be in bfloat16: about 2 with instructions for it, about 0.2 without."""
_LOOKS = 5

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str) -> str:
    """Return ``cpu`` or ``cuda:N``; a GPU that is not there is a MachineError, never the CPU instead."""
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if wanted == "cpu":
        return wanted
    kind, _, number = wanted.partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        raise MachineError(f"there is no device {wanted!r}", help="write auto, cpu or cuda:0", code="MR601")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        have = f"{count} GPUs" if count else "no GPU that torch can use"
        raise MachineError(
            f"{wanted} is asked for, but this machine has {have}",
            help="write device: cpu or auto, or install the CUDA build of torch",
            code="MR601",
        )
    return f"cuda:{number or 0}"


def has_bfloat16(device: str) -> bool:
    """Return whether a device computes in bfloat16: GPUs from Ampere on; CPUs all do, most of them slowly."""
    if not device.startswith("cuda"):
        return True
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def choose_threads(threads: int) -> None:
    """Have torch compute on so many CPU threads from now on; 0 leaves its own choice."""
    if threads:
        torch.set_num_threads(threads)


def choose_dtype(wanted: str, device: str) -> str:
    """Return the number format of ``choose_precision``."""
    return choose_precision(wanted, device).dtype


def choose_precision(wanted: str, device: str) -> Precision:
    """Return what is asked, and for ``auto`` bfloat16 where the device computes faster in it, else float32.

    Raises:
        MachineError: MR604, bfloat16 is asked for on a GPU that can only emulate it.
    """
    if wanted == "auto":
        return _faster(device)
    if wanted == "bfloat16" and not has_bfloat16(device):
        raise MachineError(
            f"bfloat16 is asked for, but the GPU {device} does not compute in it",
            help="write auto or float32, or float16 for a model that is no Gemma 3",
            code="MR604",
        )
    return Precision(dtype=wanted)


def _faster(device: str) -> Precision:
    if device.startswith("cuda"):
        has = has_bfloat16(device)
        reason = f"{device} {'computes in it' if has else 'can only emulate bfloat16'}"
        return Precision(dtype="bfloat16" if has else "float32", reason=reason)
    speed = bfloat16_speed(torch.get_num_threads())
    reason = f"this CPU multiplies matrices in bfloat16 {speed:.2g} times as fast as in float32"
    return Precision(dtype="bfloat16" if speed >= _WORTH_IT else "float32", reason=reason)


@cache
def bfloat16_speed(threads: int) -> float:  # noqa: ARG001 - what was measured with other threads is another answer
    """How many times as fast this CPU multiplies matrices in bfloat16 as in float32: measured, in 0.1 s.

    The two take turns and the fastest of each counts, so that other work on the machine changes little.
    """
    left, right = torch.ones(256, 512), torch.ones(512, 512)
    pairs = [(left.to(dtype), right.to(dtype)) for dtype in (torch.float32, torch.bfloat16)]
    looks = [[_seconds(*pair) for pair in pairs] for _ in range(_LOOKS)]
    single, half = (min(taken) for taken in zip(*looks[1:], strict=True))
    return float(single / half)


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    begin = time.perf_counter()
    torch.nn.functional.linear(left, right)
    return time.perf_counter() - begin
