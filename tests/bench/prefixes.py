"""What computing common beginnings once saves on the worked questions of the first recipe.

python tests/bench/prefixes.py [--steps N] [--rounds K] [--budget TOKENS] [--dtype NAME] [--json]

The rows of recipes/data/mcq/train.jsonl through the template mcq_worked, in the tokens of the embedded model; a model
of 12 layers of 512 with random weights, steps of 16 samples. The same steps with and without sharing take turns in one
process with one thread; figures are CPU seconds of an optimizer step, the first of each warms up.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "recipes" / "data" / "mcq" / "train.jsonl"
TARGET = 1.7
"""How many times the CPU seconds without sharing should be those with it."""


def encoded(tokenizer: Any, count: int) -> list[tuple[list[int], int]]:
    """Samples of the template as token ids."""
    from medrecipe_plugins.models._encoding import encode, marks_of
    from medrecipe_plugins.templates.mcq import McqWorked, Options

    template, marks = McqWorked(Options()), marks_of(tokenizer, "the embedded model")
    lines = ROWS.read_text("utf-8").splitlines()[:count]
    samples = [sample for n, line in enumerate(lines) for sample in template.render(json.loads(line), f"{n}")]
    return [encode(tokenizer, marks, sample) for sample in samples]


def embedded_tokenizer() -> Any:
    """The tokenizer that the embedded model has by default."""
    from medrecipe_plugins.models import _embedded
    from medrecipe_plugins.models.embedded import Options

    return _embedded._tokenizer(Options(), _embedded.bundled_texts())


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """CPU seconds and tokens of the steps, with and without sharing."""
    import torch
    from lora_step import packed, shapes

    from medrecipe_plugins.trainers._fast_step import FastStep

    torch.set_num_threads(1)
    tokenizer = embedded_tokenizer()
    shapes.save_model("M", tokenizer, folder)
    samples = packed.prepared(encoded(tokenizer, asked.steps * shapes.SAMPLES_A_STEP))
    module = packed.with_adapter(folder, asked.dtype).module.train()
    optimizer = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad], lr=shapes.LEARNING_RATE
    )
    workers = {share: FastStep(module, "cpu", asked.budget, share=share) for share in (False, True)}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    taken: dict[bool, list[tuple[float, int]]] = {False: [], True: []}
    for at in [0] + list(range(0, len(samples), shapes.SAMPLES_A_STEP)) * asked.rounds:
        for share, step in workers.items():
            began = time.process_time()
            with step.working():
                taken[share].append(packed.take(step, samples[at : at + shapes.SAMPLES_A_STEP]))
            optimizer.step()
            optimizer.zero_grad()
            seconds[share].append(time.process_time() - began)
    apart, shared = seconds[False][1:], seconds[True][1:]
    ratios = [one / other for one, other in zip(apart, shared, strict=True)]
    tokens = {share: sum(count for _, count in steps) for share, steps in taken.items()}
    return {
        "mean_length": statistics.mean(len(sample.ids) for sample in samples),
        "apart_cpu_s": statistics.median(apart),
        "shared_cpu_s": statistics.median(shared),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
        "tokens_saved": 1 - tokens[True] / tokens[False],
        "losses": [taken[False][0][0], taken[True][0][0]],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=4096)
    parser.add_argument("--dtype", default="auto", choices=("auto", "bfloat16", "float32"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(Path(temporary), asked)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        print(
            f"samples of {found['mean_length']:.0f} tokens, {found['tokens_saved']:.0%} of them shared\n"
            f"apart {found['apart_cpu_s']:.2f} CPU s a step, shared {found['shared_cpu_s']:.2f}: "
            f"{found['ratio']:.2f} x [{found['least']:.2f}, {found['most']:.2f}], target {TARGET}\n"
            f"loss of the first step {found['losses'][0]:.5f} and {found['losses'][1]:.5f}"
        )
    return int(found["ratio"] < TARGET)


if __name__ == "__main__":
    sys.exit(main())
