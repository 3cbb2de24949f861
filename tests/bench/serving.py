"""How fast a served run answers: 200 requests at once, and 8 at once against one after another.

python tests/bench/serving.py [--run RUN --runs DIR] [--rounds 5] [--tokens 64] [--json]

Trains four sibling specialties on the embedded Llama, unless a run is given, and serves it in a process of its own.
Prints how long each of 200 concurrent requests took (p50, p99), and tokens a second of 8 requests one after another
and at once, interleaved in every round: with one adapter, and with four mixed. Those 8 are greedy, and what the
specialties are taught is longer than an answer may be, so that all have the same length; where they do not (another
run, say), that is told, for no batch is faster than its longest answer. The 200 are drawn with seeds of their own.
Answers at once have to be those one after another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

MEDRECIPE = [sys.executable, "-m", "pipeline_dsl.cli.main"]
SPECIALTIES = ("cardiology", "oncology", "neurology", "emergency_medicine")
CONCURRENT, MANY = 8, 200
RECIPE = """\
recipe: bench
device: cpu
model: {{use: embedded, architecture: llama}}
adapters:
    {first}: {{use: lora, r: 32, alpha: 64, target_modules: all-linear}}
{adapters}data:
    rows: {{use: jsonl, path: rows.jsonl}}
templates:
    ask: {{use: question_answer, context: false}}
tasks |task, data, template, metric|
    loss, rows, ask, loss
train: {{max_steps: 40, batch_size: 2, max_length: 512, learning_rate: 3e-3, lr_scheduler: constant}}
phases:
"""
PHASE = """\
    {name}:
        stack |adapter, role|
            {name}, train
        mix |data, template|
            rows, ask
"""
QUESTIONS = ("Which vessel is blocked?", "What is hypertension?", "Which drug is first?", "고혈압이란?")


def body(number: int, models: tuple[str, ...], tokens: int, temperature: float = 0.0) -> dict[str, Any]:
    text = QUESTIONS[number % len(QUESTIONS)]
    return {
        "model": models[number % len(models)], "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens, "temperature": temperature, "seed": number,
    }  # fmt: skip


async def ask(client: httpx.AsyncClient, asked: dict[str, Any]) -> tuple[str, int, float]:
    """Return the answer, its tokens and its seconds."""
    began = time.perf_counter()
    response = await client.post("/v1/chat/completions", json=asked)
    response.raise_for_status()
    told = response.json()
    taken = time.perf_counter() - began
    return told["choices"][0]["message"]["content"], told["usage"]["completion_tokens"], taken


async def one_after_another(
    client: httpx.AsyncClient, asked: list[dict[str, Any]]
) -> list[tuple[str, int, float]]:
    return [await ask(client, each) for each in asked]


async def at_once(client: httpx.AsyncClient, asked: list[dict[str, Any]]) -> list[tuple[str, int, float]]:
    return await asyncio.gather(*(ask(client, each) for each in asked))


async def tokens_a_second(
    way: Any, client: httpx.AsyncClient, asked: list[dict[str, Any]]
) -> tuple[float, int, list[str]]:
    began = time.perf_counter()
    found = await way(client, asked)
    seconds = time.perf_counter() - began
    tokens = sum(count for _, count, _ in found)
    return tokens / seconds, tokens, [text for text, _, _ in found]


async def throughput(
    client: httpx.AsyncClient, models: tuple[str, ...], rounds: int, tokens: int
) -> dict[str, Any]:
    """Measure both ways in every round, so that what else the machine does meets both."""
    alone, together, written = [], [], 0
    for turn in range(rounds + 1):
        asked = [body(turn * CONCURRENT + n, models, tokens) for n in range(CONCURRENT)]
        slow, _, texts = await tokens_a_second(one_after_another, client, asked)
        fast, written, same = await tokens_a_second(at_once, client, asked)
        if texts != same:
            raise SystemExit("answers at once are not those one after another")
        if turn:  # the first round warms up
            alone.append(slow)
            together.append(fast)
    ratios = [fast / slow for slow, fast in zip(alone, together, strict=True)]
    return {
        "adapters": len(models), "tokens_of_8": written, "tokens_allowed": CONCURRENT * tokens,
        "tokens_per_second_alone": statistics.median(alone),
        "tokens_per_second_at_once": statistics.median(together), "times": statistics.median(ratios),
        "times_lowest": min(ratios), "times_highest": max(ratios),
    }  # fmt: skip


async def many(client: httpx.AsyncClient, tokens: int) -> dict[str, Any]:
    asked = [body(n, SPECIALTIES, tokens, 1.0) for n in range(MANY)]
    began = time.perf_counter()
    found = await at_once(client, asked)
    wall = time.perf_counter() - began
    checked = await one_after_another(client, asked[::10])
    if [text for text, _, _ in checked] != [text for text, _, _ in found[::10]]:
        raise SystemExit("answers at once are not those one after another")
    seconds = [taken for _, _, taken in found]
    return {
        "requests": len(found), "p50_seconds": statistics.median(seconds),
        "p99_seconds": statistics.quantiles(seconds, n=100)[98], "wall_seconds": wall,
        "tokens_per_second": sum(n for _, n, _ in found) / wall,
    }  # fmt: skip


async def measure(url: str, rounds: int, tokens: int) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits, trust_env=False) as client:
        one = await throughput(client, SPECIALTIES[:1], rounds, tokens)
        four = await throughput(client, SPECIALTIES, rounds, tokens)
        return {"one_adapter": one, "four_adapters": four, "many": await many(client, tokens)}


@contextmanager
def served(run: str, runs: Path) -> Iterator[str]:
    words = [*MEDRECIPE, "serve", run, "--runs", str(runs), "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        lines = (re.match(r"serving \S+ on (\S+)", line) for line in process.stderr)
        yield next(found[1] for found in lines if found)
    finally:
        process.terminate()
        process.communicate()


def trained(folder: Path) -> tuple[str, Path]:
    """Train the specialties until they write on and on."""
    phases = "".join(PHASE.format(name=name) for name in SPECIALTIES)
    adapters = "".join(f"    {name}: {{like: {SPECIALTIES[0]}}}\n" for name in SPECIALTIES[1:])
    (folder / "bench.sdn").write_text(
        RECIPE.format(first=SPECIALTIES[0], adapters=adapters) + phases, "utf-8"
    )
    rows = [{"question": text, "response": "the heart and " * 60} for text in QUESTIONS]
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    words = ["run", str(folder / "bench.sdn"), "--runs", str(folder / "runs"), "--no-evaluate"]
    subprocess.run([*MEDRECIPE, *words], check=True, stdout=subprocess.DEVNULL)
    (run,) = (folder / "runs" / "bench").iterdir()
    return run.name, folder / "runs"


def table(found: dict[str, Any]) -> str:
    lines = [
        "8 requests          one after another   at once         times (lowest to highest of the rounds)"
    ]
    for name in ("one_adapter", "four_adapters"):
        it = found[name]
        lines.append(
            f"{name.replace('_', ' '):18}  {it['tokens_per_second_alone']:7.0f} tokens/s    "
            f"{it['tokens_per_second_at_once']:7.0f} tokens/s  "
            f"{it['times']:.1f} ({it['times_lowest']:.1f} to {it['times_highest']:.1f})"
        )
        if it["tokens_of_8"] < it["tokens_allowed"]:
            short = f"{it['tokens_of_8']} of {it['tokens_allowed']} tokens"
            lines.append(f"  their answers ended early ({short}): the longest one holds the others up")
    it = found["many"]
    lines.append(
        f"{it['requests']} at once, four adapters: p50 {it['p50_seconds']:.2f} s, p99 {it['p99_seconds']:.2f} s, "
        f"all after {it['wall_seconds']:.2f} s, {it['tokens_per_second']:.0f} tokens/s"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, runs = (options.run, options.runs) if options.run else trained(Path(folder))
        with served(run, runs) as url:
            found = asyncio.run(measure(url, options.rounds, options.tokens))
    print(json.dumps(found, indent=2) if options.json else table(found))


if __name__ == "__main__":
    main()
