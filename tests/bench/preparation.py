"""How fast samples become token ids on disk, beside what ``tokenizers`` alone does with the very same texts.

python tests/bench/preparation.py [--mb 20] [--threads 2] [--repeat 3] [--kinds text,mcq,pairs] [--tokenizer FILE] [--json]

Generates rows in Korean and English (sizes in MB of text, 10**6 bytes of UTF-8) of three kinds: documents,
multiple-choice questions (long prompts, one letter to learn) and pairs of terms. Then, in processes of their own, one
after the other and all of it several times over:

- **alone**: ``Tokenizer.encode_batch`` on the prompts and completions, 1,024 texts a call, nothing kept;
- **fast**: the same with ``encode_batch_fast``, which leaves out the offsets that nobody asks for;
- **shards**: from rendered samples to a sealed entry of the cache, guard rails and hashes included;
- **whole**: from the JSONL file to that entry: the data looked through, read, rendered, prepared.

Prints the medians in MB/s of wall clock and in MB per second of processor time (which a busy machine distorts less),
what share of *alone* and of *fast* the *shards* come to, and peak resident memory (VmHWM, torch and the model included).
``--threads`` sets RAYON_NUM_THREADS for all. ``--tokenizer`` takes the ``tokenizer.json`` of any model instead of the
embedded model's, whose small vocabulary makes it fast.

``--mb 6 --repeat 1 --threads 2`` on two cores that did other work as well, hence per second of processor time: *shards*
3.76 MB (text), 3.82 (mcq), 1.56 (pairs of 76 bytes); *alone* 2.61, 2.60, 1.61; *fast* 3.56, 3.69, 2.02. That is 1.44, 1.47
and 0.97 of *alone*, by the clock 1.33, 1.69 and 1.38. Sample by sample it was 0.83, 0.66 and 0.53 (0.67, 0.26 and 0.33 by
the clock). The *whole* way peaks at 574 MB for 8 MB of text, which is searched for shared passages in memory, and at 461 MB
for 32 MB, which is not; when all samples were held it was 574 and 609 MB.

Tokenising stays in one process: it is threads of Rust, and what Python does beside it runs meanwhile on one core, about 20
microseconds a sample. Processes would only take over that, at the price of loading everything again in each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MB = 10**6
MODES = ("alone", "fast", "shards", "whole")
PROCESSES = ("tokenizers", "shards", "whole")
_BATCH = 1024
_ENGLISH = "ac al an ar as at cal car de di en er fe gen hy in is le li ma ne or os per ra re ri sis ta the ti tion ur"
_RECIPE = """\
recipe: preparation
seed: 7
device: cpu
model: {{use: embedded, max_positions: 8192, pretraining_steps: 2}}
adapters:
    only: {{use: lora, r: 2}}
data:
    taught: {{use: jsonl, path: "{taught}"}}
    asked: {{use: jsonl, path: "{asked}"}}
tasks |task, data, template, metric|
    fluency, asked, {template}, perplexity
phases:
    one:
        stack |adapter, role|
            only, train
        mix |data, template, weight|
            taught, {template}, 1
        train: {{max_length: 8192, overflow: drop}}
"""
TEMPLATES = {"text": "plain_text", "mcq": "mcq", "pairs": "dictionary"}


class Words:
    """Draws words of two languages, common ones often."""

    def __init__(self, seed: int) -> None:
        self._random, self._seed = random.Random(seed), seed
        syllables = _ENGLISH.split()
        english = ["".join(self._random.choices(syllables, k=1 + n % 4)) for n in range(15_000)]
        korean = [
            "".join(chr(0xAC00 + int(self._random.paretovariate(0.6)) * 37 % 11172) for _ in range(1 + n % 5))
            for n in range(15_000)
        ]
        self._words = {"english": english, "korean": korean}

    def some(self, language: str, least: int, most: int) -> str:
        words, draw = self._words[language], self._random
        count = draw.randint(least, most)
        return " ".join(words[int(len(words) * draw.random() ** 4)] for _ in range(count))

    def rows(self, kind: str) -> Iterator[dict[str, str]]:
        number = 0
        while True:
            number += 1
            language = ("korean", "english")[number % 3 == 0]
            if kind == "text":
                yield {"text": self.some(language, 30, 300)}
            elif kind == "pairs":
                english = f"{self.some('english', 1, 4)} {self._seed}.{number}"
                yield {"english": english, "korean": self.some("korean", 1, 4)}
            else:
                options = {letter: f"{self.some(language, 1, 8)} {letter}" for letter in "ABCDE"}
                question = self.some(language, 40, 160)
                yield {"question": question, **options, "answer": self._random.choice("ABCDE")}


def generate(path: Path, kind: str, size: int, seed: int) -> None:
    """Write rows until their values come to ``size`` bytes."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in Words(seed).rows(kind):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            written += sum(len(value.encode()) for value in row.values())
            if written >= size:
                return


def planned(recipe: Path) -> tuple[Any, Any]:
    from pipeline_dsl.plan.check import check_recipe
    from pipeline_dsl.plan.hashing import hash_files
    from pipeline_dsl.recipe.load import load_recipe
    from pipeline_dsl.registry import build_catalog

    catalog = build_catalog()
    plan, findings = check_recipe(load_recipe(str(recipe)).recipe, catalog)
    if plan is None:
        raise SystemExit(str(findings))
    return hash_files(plan), catalog


def loaded(plan: Any, catalog: Any, tokenizer: Path | None) -> Any:
    """The embedded model, with another tokenizer if one is named."""
    from pipeline_dsl.api import LoadRequest
    from pipeline_dsl.plan.choose import make

    base = make(catalog, plan.model)
    base.prepare(lambda _: None)
    model = base.load(LoadRequest(device="cpu", seed=0))
    if tokenizer is not None:
        from tokenizers import Tokenizer
        from transformers import PreTrainedTokenizerFast

        own = model.tokenizer
        made = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_file(str(tokenizer)),
            **{name: str(getattr(own, name)) for name in ("bos_token", "eos_token", "pad_token")},
        )
        model.tokenizer, model.rows = made, len(made)
        model.module.resize_token_embeddings(len(made))
    return model


def took(began: tuple[float, float]) -> dict[str, float]:
    return {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def alone(texts: list[str], backend: Any, *, fast: bool) -> dict[str, float]:
    encode = backend.encode_batch_fast if fast else backend.encode_batch
    began = now()
    for start in range(0, len(texts), _BATCH):
        encode(texts[start : start + _BATCH], add_special_tokens=False)
    return took(began)


def shards(samples: list[Any], model: Any, trainer: Any, folder: Path) -> dict[str, float]:
    from pipeline_dsl.plan.shards import write

    began = now()
    folder.mkdir()
    write(trainer.prepare_all(model, samples), folder, "taught")
    return took(began)


def whole(plan: Any, catalog: Any, model: Any) -> dict[str, float]:
    from dataclasses import replace

    from pipeline_dsl.plan.choose import make
    from pipeline_dsl.plan.inspection import inspect_data
    from pipeline_dsl.run.preparing import Preparing

    plan = replace(plan, base=make(catalog, plan.model).identity("cpu"))
    phase = plan.phases[0]
    began = now()
    inspect_data(plan, catalog, lambda _: None)
    Preparing(plan=plan, catalog=catalog, train=phase.train, model=model, say=lambda _: None).pool(
        phase.mix[0]
    )
    return took(began)


def inside(mode: str, recipe: Path, tokenizer: Path | None) -> None:
    """Measurements of one process: of the parts, or of the whole way."""
    from pipeline_dsl.plan.choose import make
    from pipeline_dsl.plan.mix import render

    plan, catalog = planned(recipe)
    entry, found = plan.phases[0].mix[0], {}
    model = loaded(plan, catalog, tokenizer)
    if mode == "whole":
        found["whole"] = whole(plan, catalog, model)
    else:
        samples = list(render(plan, entry.data, entry.template, None, catalog))
        if mode == "shards":
            trainer = make(catalog, plan.phases[0].train)
            found["shards"] = shards(samples, model, trainer, recipe.parent / f"entry.{os.getpid()}")
        else:
            texts = [text for s in samples for text in (s.prompt, s.completion) if text]
            for name in ("alone", "fast"):
                found[name] = alone(texts, model.tokenizer.backend_tokenizer, fast=name == "fast")
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if "VmHWM" in line)
    print(json.dumps({name: {**seconds, "peak_mb": peak * 1024 / MB} for name, seconds in found.items()}))


def text_bytes(recipe: Path) -> tuple[int, int]:
    """Samples, and the bytes of their prompts and completions."""
    from pipeline_dsl.plan.mix import render

    plan, catalog = planned(recipe)
    entry = plan.phases[0].mix[0]
    samples = render(plan, entry.data, entry.template, None, catalog)
    return len(samples), sum(len(s.prompt.encode()) + len(s.completion.encode()) for s in samples)


def measure(folder: Path, kind: str, asked: argparse.Namespace) -> dict[str, Any]:
    taught, other, recipe = folder / f"{kind}.jsonl", folder / f"{kind}.asked.jsonl", folder / f"{kind}.sdn"
    generate(taught, kind, asked.mb * MB, seed=1)
    generate(other, kind, MB // 20, seed=2)
    template = TEMPLATES[kind]
    recipe.write_text(_RECIPE.format(taught=taught, asked=other, template=template), encoding="utf-8")
    samples, size = text_bytes(recipe)
    seen: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for number in range(asked.repeat):
        for process in PROCESSES[:: 1 if number % 2 == 0 else -1]:
            for mode, found in one(folder, process, recipe, asked).items():
                seen[mode].append(found)
    speeds = {
        clock: {mode: [size / MB / found[clock] for found in runs] for mode, runs in seen.items()}
        for clock in ("wall", "cpu")
    }
    median = {
        clock: {mode: round(statistics.median(found), 2) for mode, found in of.items()}
        for clock, of in speeds.items()
    }
    return {
        "kind": kind,
        "samples": samples,
        "mb": round(size / MB, 1),
        "threads": asked.threads,
        "mb_per_s": median["wall"],
        "mb_per_cpu_s": median["cpu"],
        "runs": speeds,
        "peak_mb": {mode: round(max(r["peak_mb"] for r in runs)) for mode, runs in seen.items()},
        "shares": {
            f"shards/{other} {clock}": round(of["shards"] / of[other], 2)
            for clock, of in median.items()
            for other in ("alone", "fast")
        },
    }


def one(folder: Path, mode: str, recipe: Path, asked: argparse.Namespace) -> dict[str, dict[str, float]]:
    command = [sys.executable, __file__, "--inside", mode, "--recipe", str(recipe)]
    command += ["--tokenizer", str(asked.tokenizer)] if asked.tokenizer else []
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        embedded = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medrecipe" / "embedded"
        embedded.mkdir(parents=True, exist_ok=True)
        (Path(cache) / "medrecipe").mkdir()
        (Path(cache) / "medrecipe" / "embedded").symlink_to(embedded)
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": cache,
            "RAYON_NUM_THREADS": str(asked.threads),
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(row: dict[str, Any]) -> None:
    print(f"{row['kind']}: {row['samples']:,} samples, {row['mb']} MB, {row['threads']} threads")
    for clock in ("mb_per_s", "mb_per_cpu_s"):
        print(f"  {clock:13}" + "".join(f"  {mode} {row[clock][mode]:6.2f}" for mode in MODES))
    print("  " + "  ".join(f"{name} {share:.2f}" for name, share in row["shares"].items()))
    print("  peak MB       " + "  ".join(f"{mode} {row['peak_mb'][mode]:,}" for mode in MODES), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(TEMPLATES))
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", choices=PROCESSES, help=argparse.SUPPRESS)
    parser.add_argument("--recipe", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        inside(asked.inside, asked.recipe, asked.tokenizer)
        return
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for kind in asked.kinds.split(","):
            found.append(measure(Path(temporary), kind, asked))
            if not asked.json:
                show(found[-1])
    if asked.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
