"""One optimizer step with LoRA: medrecipe against what people use, on one model and the same tokens.

python tests/bench/training.py [--rows M-mcq,M-translation] [--settings A,B,C,D,D1,E] [--steps N] [--repeats K]
                               [--packs N] [--budget TOKENS] [--dtype NAME] [--floor] [--data DIR] [--json FILE]

Rows are a model (S: 4 layers of 256, 32k tokens; M: 12 layers of 512, 16k tokens; L: Gemma 3 270M) and a kind of data
(mcq: five options, an answer of a few tokens; text: all tokens learned; translation). Settings:

A   transformers and PEFT, padded to 512, loss over the logits of all positions
B   the same, padded to the longest sample of a micro-batch
C   TRL's SFTTrainer with its defaults, gradient checkpointing among them
D   the same with packing=True, in micro-batches of --packs packs (1: TRL lays those of a micro-batch into one row and
    attends over all of it, so that its default of 8 takes longer on a CPU)
D1  the same without gradient checkpointing, with weights in bfloat16 and TRL's head at label positions alone, which
    TRL does on GPUs only
E   medrecipe, with at most --budget tokens at once; without it as many as D1 computes at once

Where this CPU is not faster in bfloat16, all of them compute in float32, also C and D, whose default is bfloat16
(--dtype says otherwise).

Every setting works in a process of its own with one thread; settings take turns. The first step warms up. Figures are
CPU seconds of the process (user + system, no wall time), label tokens a CPU second, and the peak of resident memory
of the process (ru_maxrss: interpreter, libraries, weights and all). TRL needs its own distribution: pip install trl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lora_step import table
from lora_step.shapes import MAX_LENGTH

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
ROWS = "S-mcq,S-text,S-translation,M-mcq,M-text,M-translation,L-mcq"
SETTINGS = "A,B,C,D,D1,E"


def inside(what: str, row: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One piece of work in this process."""
    import torch

    torch.set_num_threads(1)
    if what == "prepare":
        return prepare(row, folder, asked)
    from lora_step import shapes
    from lora_step.meter import Meter

    shape = row.partition("-")[0]
    model = folder / f"model-{row}"
    samples = [tuple(item) for item in json.loads((folder / f"{row}.json").read_text("utf-8"))]
    steps = [samples[at : at + shapes.SAMPLES_A_STEP] for at in range(0, len(samples), shapes.SAMPLES_A_STEP)]
    meter, micro_batch = Meter(), shapes.MICRO_BATCH[shape]
    if what == "floor":
        from lora_step import floor

        return floor.measure(model, steps, asked.budget, asked.dtype)
    if what in ("A", "B"):
        from lora_step import padded

        padded.train(
            model, steps, micro_batch, meter, to=shapes.MAX_LENGTH if what == "A" else None, dtype=asked.dtype
        )
    elif what == "E":
        from lora_step import packed

        packed.train(model, samples, meter, budget=asked.budget, dtype=asked.dtype)
    else:
        from lora_step import trl_runs

        size = micro_batch if what == "C" else asked.packs
        trl_runs.train(model, samples, size, meter, packing=what != "C", best=what == "D1", dtype=asked.dtype)
    return meter.report()


def prepare(row: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Write model, tokenizer and samples of a row."""
    from itertools import islice

    from lora_step import shapes, texts

    shape, _, kind = row.partition("-")
    pairs = texts.pairs_of(kind, asked.data)
    tokenizer = shapes.tokenizer_of([a + b for a, b in pairs] or ["no data"], shape)
    shapes.save_model(shape, tokenizer, folder / f"model-{row}")
    count = (1 + asked.steps) * shapes.SAMPLES_A_STEP
    found = texts.encoded(pairs, tokenizer, shape)
    if not pairs:
        found = texts.generated(kind, count, shapes.SHAPES[shape]["vocabulary"])
    samples = list(islice(found, count))
    (folder / f"{row}.json").write_text(json.dumps(samples), "utf-8")
    lengths = [len(ids) for ids, _ in samples]
    return {
        "data": "public" if pairs else f"generated lengths: nothing in {asked.data}",
        "samples": len(samples),
        "mean_length": sum(lengths) / len(lengths),
        "mean_labels": sum(len(ids) - start for ids, start in samples) / len(lengths),
    }


def child(what: str, row: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One piece of work in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--inside", what, "--rows", row]
    command += ["--folder", str(folder), "--steps", str(asked.steps), "--data", str(asked.data)]
    command += ["--packs", str(asked.packs), "--budget", str(asked.budget), "--dtype", asked.dtype]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder / "datasets"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{row} {what} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(row: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """All settings of a row in turn, as often as asked."""
    found: dict[str, Any] = {"row": row, **child("prepare", row, folder, asked)}
    runs: dict[str, list[Any]] = {name: [] for name in asked.settings.split(",")}
    for _ in range(asked.repeats):
        for name, reports in runs.items():
            reports.append(child(name, row, folder, asked))
    if asked.floor:
        found["floor"] = child("floor", row, folder, asked)
    return {**found, "runs": runs}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default=ROWS)
    parser.add_argument("--settings", default=SETTINGS)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--packs", type=int, default=1, help="packs in a micro-batch of D and D1")
    parser.add_argument("--budget", type=int, help="most tokens that E computes at once")
    parser.add_argument(
        "--dtype", default="auto", choices=("auto", "bfloat16", "float32"), help="of weights and products"
    )
    parser.add_argument("--floor", action="store_true", help="also the matrix products of E alone")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.budget = asked.budget or asked.packs * MAX_LENGTH
    if asked.inside:
        print("\n" + json.dumps(inside(asked.inside, asked.rows, asked.folder, asked)))
        return 0
    if asked.dtype == "auto":
        from medrecipe_plugins.models._machine import choose_precision

        precision = choose_precision("auto", "cpu")
        asked.dtype = precision.dtype
        print(f"all settings in {precision.dtype}: {precision.reason}\n")
    figures = []
    for row in asked.rows.split(","):
        with tempfile.TemporaryDirectory() as temporary:
            figures.append(measure(row, Path(temporary), asked))
        print(table.text_of(figures[-1]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return int(not all(table.agree(row) for row in figures))


if __name__ == "__main__":
    sys.exit(main())
