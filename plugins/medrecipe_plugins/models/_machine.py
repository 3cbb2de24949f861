"""Devices and number formats of this machine."""

from __future__ import annotations

import torch

from pipeline_dsl.api import MachineError

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
    """Return the number format: what is asked, or bfloat16 on a GPU that has it, else float32.

    Raises:
        MachineError: MR604, bfloat16 is asked for on a GPU that can only emulate it.
    """
    if wanted == "auto":
        return "bfloat16" if device.startswith("cuda") and has_bfloat16(device) else "float32"
    if wanted == "bfloat16" and not has_bfloat16(device):
        raise MachineError(
            f"bfloat16 is asked for, but the GPU {device} does not compute in it",
            help="write auto or float32, or float16 for a model that is no Gemma 3",
            code="MR604",
        )
    return wanted
