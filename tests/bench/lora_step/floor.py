"""The floor of a step: the time that exactly its matrix products take, one after another and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lora_step.packed import prepared, take, with_adapter
from lora_step.texts import Ids
from medrecipe_plugins.trainers._fast_step import FastStep

Operand = tuple[tuple[int, ...], bool, torch.dtype]
"""Shape, whether it lies transposed in memory, and number format."""


@dataclass
class Products(TorchDispatchMode):
    """Notes the matrix products that happen inside; those inside of fused attention are not seen."""

    noted: list[tuple[Operand, Operand]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket
        if name is torch.ops.aten.mm:
            self.noted.append((_operand(args[0]), _operand(args[1])))
        elif name in (torch.ops.aten.addmm, torch.ops.aten.addmm_):
            self.noted.append((_operand(args[1]), _operand(args[2])))
        return func(*args, **(kwargs or {}))


def measure(folder: Path, steps: list[list[Ids]], budget: int, dtype: str) -> dict[str, float]:
    """CPU seconds of the products of these steps, the first of which warms up."""
    step = FastStep(with_adapter(folder, dtype).module.train(), "cpu", budget, share=True)
    noted = []
    for samples in steps:
        with step.working(), Products() as products:
            take(step, prepared(samples))
        noted.append(products.noted)
    kept: dict[Any, torch.Tensor] = {}
    _run(noted[0], kept)
    for products in noted[1:]:
        _run(products, kept, times=0)
    began = time.process_time()
    for products in noted[1:]:
        _run(products, kept)
    cpu = time.process_time() - began
    flops = sum(2 * a[0] * a[1] * b[1] for products in noted[1:] for (a, *_), (b, *_) in products)
    tokens = sum(len(ids) for samples in steps[1:] for ids, _ in samples)
    return {"cpu_s": cpu, "tokens": tokens, "products": sum(map(len, noted[1:])), "gflop": flops / 1e9}


def _run(products: list[tuple[Operand, Operand]], kept: dict[Any, torch.Tensor], times: int = 1) -> None:
    for pair in products:
        one, other = (_made(operand, kept, place) for place, operand in enumerate(pair))
        for _ in range(times):
            torch.mm(one, other)


def _made(operand: Operand, kept: dict[Any, torch.Tensor], place: int) -> torch.Tensor:
    key = (operand, place)
    if key not in kept:
        shape, turned, dtype = operand
        kept[key] = torch.randn(shape[::-1] if turned else shape).to(dtype)
        kept[key] = kept[key].T if turned else kept[key]
    return kept[key]


def _operand(x: torch.Tensor) -> Operand:
    return tuple(x.shape), x.stride(-1) != 1, x.dtype
