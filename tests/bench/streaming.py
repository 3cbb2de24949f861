"""Peak memory of a training that streams a small and a large file.

python tests/bench/streaming.py [--small 20] [--large 2000] [--rows] [--steps 30] [--folder DIR] [--json]

Generates two JSONL files (sizes in MB, 10**6 bytes), trains the same recipe on each in a process of its own (the
embedded Llama, a shuffle buffer of 10,000 rows), and prints peak resident memory (VmHWM of /proc) and the time to
the first optimizer step. With --rows the whole file is passed through the same path as in training (read, shuffled,
rendered, tokenised, batched) without a model: all of its rows, not only those of a few steps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MB = 10**6
BOUND_MB = 300
"""Difference of the peaks that is allowed."""
_RECIPE = """\
recipe: streaming
seed: 7
device: cpu
model: {{use: embedded, architecture: llama, layers: 2, width: 64, heads: 2, kv_heads: 1, mlp_width: 96,
    vocabulary: 512, max_positions: 256, pretraining_steps: 2}}
adapters:
    only: {{use: lora, r: 2}}
data:
    texts: {{use: jsonl, path: "{path}", streaming: true}}
    held_out: {{use: jsonl, path: "{path}", limit: 4}}
tasks |task, data, template, metric|
    fluency, held_out, plain_text, perplexity
phases:
    one:
        stack |adapter, role|
            only, train
        mix |data, template, weight|
            texts, plain_text, 1
        train: {{max_steps: {steps}, batch_size: 2, max_length: 256, overflow: drop}}
"""
_WORDS = (
    "heart",
    "lung",
    "liver",
    "blood",
    "고혈압",
    "당뇨병",
    "폐렴",
    "진단",
    "치료",
    "nerve",
    "fever",
    "심장",
    "혈액",
)


def generate(path: Path, size: int) -> int:
    """Write rows until a file has ``size`` bytes; return their number."""
    texts = [
        " ".join(_WORDS[(row * 7 + n * n) % len(_WORDS)] for n in range(20 + row % 60)) for row in range(997)
    ]
    rows = written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            numbers = range(rows, rows + 10_000)
            block = "".join(f'{{"text": "{row}: {texts[row % 997]}"}}\n' for row in numbers)
            rows += len(numbers)
            written += len(block.encode())
            file.write(block)
    return rows


def train(recipe: Path) -> None:
    """One whole run, in this process."""
    from pipeline_dsl.api import hookimpl
    from pipeline_dsl.plan.check import check_recipe
    from pipeline_dsl.plan.hashing import hash_files
    from pipeline_dsl.recipe.load import load_recipe
    from pipeline_dsl.registry import build_catalog
    from pipeline_dsl.run.request import RunRequest
    from pipeline_dsl.run.start import run_plan

    began, seen = time.monotonic(), {}

    class Watch:
        @hookimpl
        def medrecipe_started(self, event: object) -> None:
            seen["started"] = time.monotonic()

        @hookimpl
        def medrecipe_iteration_completed(self, event: object) -> None:
            seen.setdefault("first", time.monotonic())

    catalog = build_catalog()
    plan, findings = check_recipe(load_recipe(str(recipe)).recipe, catalog)
    if plan is None:
        raise SystemExit(str(findings))
    request = RunRequest(
        plan=hash_files(plan),
        recipe_text=recipe.read_text("utf-8"),
        runs=recipe.parent / "runs",
        listeners=(("watch", Watch()),),
        fresh=True,
    )
    run_plan(request, catalog)
    report(first_step_s=seen["first"] - seen["started"], all_s=time.monotonic() - began)


def pass_through(recipe: Path, rows: int) -> None:
    """All rows of the file once through a stream into micro-batches."""
    from itertools import islice

    from medrecipe_plugins.trainers._stream import StreamBatches
    from pipeline_dsl.api import LoadRequest
    from pipeline_dsl.plan.check import check_recipe
    from pipeline_dsl.plan.choose import make
    from pipeline_dsl.recipe.load import load_recipe
    from pipeline_dsl.registry import build_catalog
    from pipeline_dsl.run.preparing import Preparing, Seen
    from pipeline_dsl.run.streaming import PhaseStream

    began = time.monotonic()
    catalog = build_catalog()
    plan, _ = check_recipe(load_recipe(str(recipe)).recipe, catalog)
    base = make(catalog, plan.model)
    base.prepare(lambda _: None)
    phase = plan.phases[0]
    model = base.load(LoadRequest(device="cpu", seed=0))
    preparing = Preparing(plan=plan, catalog=catalog, train=phase.train, model=model, say=print)
    stream = PhaseStream([preparing.feed(phase.mix[0], 0, 7, Seen())], [1.0], 7)
    source = StreamBatches(
        stream, steps=rows // 2, grad_accum=1, batch_size=2, group_by_length=True, seed=7, checkpoint=None
    )
    for _ in islice(source.order, rows // 2):
        pass
    report(first_step_s=0.0, all_s=time.monotonic() - began)


def report(**seconds: float) -> None:
    peak = next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    print(json.dumps({"peak_mb": round(peak * 1024 / MB, 1), **{k: round(v, 1) for k, v in seconds.items()}}))


def measure(folder: Path, name: str, size: int, asked: argparse.Namespace) -> dict[str, float]:
    path = folder / f"{name}.jsonl"
    rows = generate(path, size * MB)
    recipe = folder / f"{name}.sdn"
    recipe.write_text(_RECIPE.format(path=path, steps=asked.steps), encoding="utf-8")
    command = [sys.executable, __file__, "--inside", str(recipe), "--count", str(rows if asked.rows else 0)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    path.unlink()
    return {"mb": size, "rows": rows, **json.loads(done.stdout.splitlines()[-1])}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", type=int, default=20)
    parser.add_argument("--large", type=int, default=2000)
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        pass_through(asked.inside, asked.count) if asked.count else train(asked.inside)
        return 0
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        figures = {name: measure(folder, name, getattr(asked, name), asked) for name in ("small", "large")}
    difference = figures["large"]["peak_mb"] - figures["small"]["peak_mb"]
    if asked.json:
        print(json.dumps({**figures, "difference_mb": difference, "bound_mb": BOUND_MB}, indent=2))
    else:
        for name, row in figures.items():
            print(
                f"{name:6} {row['mb']:6,} MB {row['rows']:10,} rows  peak {row['peak_mb']:7.1f} MB  "
                f"first step after {row['first_step_s']:5.1f} s  all {row['all_s']:6.1f} s"
            )
        print(f"difference {difference:.1f} MB, bound {BOUND_MB} MB")
    return int(difference > BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
