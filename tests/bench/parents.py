"""What the adapters below cost a training step: merged into the weights, or frozen and attached.

python tests/bench/parents.py [--most K] [--targets attention|all-linear] [--steps N] [--rounds K] [--dtype NAME]

The model M of training.py (12 layers of 512) with random weights, LoRA r 16, steps of 16 samples of 128 tokens, all of
which are learned. Stacks take turns in one process with one thread; figures are CPU seconds of an optimizer step, as a
ratio to the step of a first phase, which has no adapter below it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

MERGED, FROZEN = 1.02, 1.10
"""What a step may cost, in steps of a first phase: with merged parents, and with one frozen one on attention."""


def parents(folder: Path, model: Path, count: int, targets: Any, dtype: str) -> list[Path]:
    """Adapters as finished phases leave them, with factors that do something."""
    import torch
    from lora_step import packed

    made = []
    for n in range(count):
        held = packed.with_adapter(model, dtype, target_modules=targets)
        for p in held.module.parameters():
            if p.requires_grad:
                torch.nn.init.normal_(p, std=0.01)
        made.append(folder / f"parent-{n}")
        packed.adapter().save(held, "new", made[-1])
    return made


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, list[float]]:
    """CPU seconds of the steps of each stack."""
    import torch
    from lora_step import packed, shapes

    from medrecipe_plugins.models import _embedded
    from medrecipe_plugins.models.embedded import Options
    from medrecipe_plugins.trainers._fast_step import FastStep
    from pipeline_dsl.api import Prepared, StackLayer

    torch.set_num_threads(1)
    shapes.save_model("M", _embedded._tokenizer(Options(), _embedded.bundled_texts()), folder)
    targets = shapes.TARGETS if asked.targets == "attention" else asked.targets
    saved = parents(folder, folder, asked.most, targets, asked.dtype)

    def stack(role: str, count: int) -> FastStep:
        below = [
            StackLayer(name=f"p{n}", role=role, adapter=packed.adapter(target_modules=targets), folder=path)
            for n, path in enumerate(saved[:count])
        ]
        held = packed.with_adapter(folder, asked.dtype, below, target_modules=targets)
        return FastStep(held.module.train(), "cpu", 4096, share=False)

    stacks = {"first phase": stack("merge", 0), f"{asked.most} merged": stack("merge", asked.most)}
    stacks |= {f"{n} frozen": stack("freeze", n) for n in range(1, asked.most + 1)}
    draw = torch.Generator().manual_seed(1)
    rows = torch.randint(5, 4000, (asked.steps, shapes.SAMPLES_A_STEP, 128), generator=draw).tolist()
    steps = [[Prepared(str(n), array("i", ids), 1) for n, ids in enumerate(step)] for step in rows]
    seconds: dict[str, list[float]] = {name: [] for name in stacks}
    for samples in [steps[0], *steps * asked.rounds]:
        for name, step in stacks.items():
            began = time.process_time()
            with step.working():
                packed.take(step, samples)
            seconds[name].append(time.process_time() - began)
    return {name: taken[1:] for name, taken in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=int, default=3)
    parser.add_argument("--targets", default="attention", choices=("attention", "all-linear"))
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--dtype", default="auto", choices=("auto", "bfloat16", "float32"))
    asked = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        seconds = measure(Path(temporary), asked)
    first = seconds["first phase"]
    print(f"first phase: {statistics.median(first):.2f} CPU s a step")
    for name, taken in list(seconds.items())[1:]:
        ratios = [one / other for one, other in zip(taken, first, strict=True)]
        print(f"{name}: {statistics.median(ratios):.3f} x  [{min(ratios):.3f}, {max(ratios):.3f}]")
    print(f"targets: merged {MERGED}, one frozen on attention {FROZEN}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
