"""Scoring multiple choice: by likelihood against generating, and few-shot examples once against each time.

    python tests/bench/scoring.py [--questions 24] [--shots 5] [--repeats 3] [--json FILE]

A Gemma 3 of 12 layers x 512 with random weights and the embedded models' tokenizer; CPU seconds on one thread,
all ways taking turns; the median of the repeats and the range of ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from medrecipe_plugins.models import _embedded
from medrecipe_plugins.models.causal_lm import CausalLM
from medrecipe_plugins.models.causal_lm import Options as ModelOptions
from medrecipe_plugins.models.embedded import Options
from medrecipe_plugins.templates.mcq import Mcq
from medrecipe_plugins.templates.mcq import Options as McqOptions
from pipeline_dsl.api import LoadRequest, Need, Sample

DATA = Path(__file__).parents[2] / "recipes" / "data" / "mcq" / "train.jsonl"
SHAPE = {"layers": 12, "width": 512, "heads": 8, "kv_heads": 4, "mlp_width": 2048, "vocabulary": 16384}


def model_in(folder: Path) -> Any:
    options = Options(architecture="gemma3", max_positions=4096, pretraining_steps=0, **SHAPE)
    _embedded.build(options, folder, lambda _: None)
    return CausalLM(options=ModelOptions(folder=str(folder), dtype="float32")).load(
        LoadRequest(device="cpu", seed=1)
    )


def questions(count: int, shots: int) -> list[Sample]:
    rows = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
    template = Mcq(McqOptions())
    samples = [next(iter(template.render(row, str(n)))) for n, row in enumerate(rows[: count + shots])]
    examples = "".join(f"{s.prompt}{s.completion}\n\n" for s in samples[:shots])
    return [
        Sample(prompt=examples + s.prompt, completion=s.completion, choices=s.choices)
        for s in samples[shots:]
    ]


def stock(model: Any, samples: list[Sample], tokens: int) -> None:
    """transformers' own ``generate``, a question at a time, as scripts write it."""
    for sample in samples:
        ids = model.tokenizer(sample.prompt, return_tensors="pt").input_ids
        model.module.generate(
            input_ids=ids, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0
        )


def seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(ways: dict[str, Callable[[], Any]], repeats: int, against: str) -> list[dict[str, Any]]:
    for work in ways.values():
        work()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            found[name].append(seconds(work))
    rows = []
    for name, times in found.items():
        ratios = sorted(t / base for t, base in zip(times, found[against], strict=True))
        rows.append({
            "way": name, "cpu_seconds": round(statistics.median(times), 2),
            "ratio": round(statistics.median(ratios), 2), "range": [round(ratios[0], 2), round(ratios[-1], 2)],
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("questions", 24), ("shots", 5), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = model_in(Path(folder))
        plain, few = questions(given.questions, 0), questions(given.questions, given.shots)

        def padded(samples: list[Sample]) -> None:
            model._packs_agree = False
            model.observe(samples, Need.CHOICES)
            model._packs_agree = None

        zero_shot = measured({
            "likelihood": lambda: model.observe(plain, Need.CHOICES),
            "generate 8": lambda: model.observe(plain, Need.COMPLETIONS, max_new_tokens=8),
            "generate 64": lambda: model.observe(plain, Need.COMPLETIONS, max_new_tokens=64),
            "transformers' generate 8": lambda: stock(model, plain, 8),
            "transformers' generate 64": lambda: stock(model, plain, 64),
        }, given.repeats, "likelihood")  # fmt: skip
        shared = measured({
            "examples once": lambda: model.observe(few, Need.CHOICES),
            "examples each time, padded": lambda: padded(few),
        }, given.repeats, "examples once")  # fmt: skip
    for row in (*zero_shot, *shared):
        print(f"{row['way']:28} {row['cpu_seconds']:8.2f} s  {row['ratio']:6.2f}x  {row['range']}")
    if given.json:
        given.json.write_text(json.dumps({"zero_shot": zero_shot, "few_shot": shared}, indent=1) + "\n")


if __name__ == "__main__":
    main()
