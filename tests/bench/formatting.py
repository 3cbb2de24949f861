"""The normal form of generated texts, and what reading and writing cost. By hand: python tests/bench/formatting.py

For each of 10,000 texts of every construct: the normal form says the same values and comments, and is its own
normal form. Then the CPU time of 1,000 lines like those of a recipe: reading, writing, and both commands' share.
"""

from __future__ import annotations

import argparse
import runpy
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax.formatting import formatted
from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.parser import Parsed, parse

TESTS = Path(__file__).parents[1]
RECIPE = TESTS.parent / "recipes" / "medgemma_korean.sdn"
LINES = 1000
REPEATS = 15


def read(text: str) -> Parsed:
    parsed = parse(Source.of("x.sdn", text))
    assert parsed.ok, (parsed.diagnostics, text)
    return parsed


def compare(count: int) -> None:
    document: Callable[[Random], str] = runpy.run_path(str(TESTS / "syntax" / "documents.py"))["document"]
    lines = comments = lost = other_values = restless = 0
    start = time.process_time()
    for seed in range(count):
        parsed = read(document(Random(seed)))
        text = formatted(parsed)
        again = read(text)
        lines += text.count("\n")
        comments += len(parsed.comments)
        before = [comment.text.rstrip(" \t\r") for comment in parsed.comments]
        lost += before != [comment.text for comment in again.comments]
        other_values += repr(plain(again.root)) != repr(plain(parsed.root))
        restless += formatted(again) != text
    print(f"{count} texts, {lines} lines, {comments} comments, {time.process_time() - start:.0f} s")
    print(f"  other values: {other_values}   comments lost: {lost}   not their own normal form: {restless}")


def long_recipe() -> str:
    """The recipe of Korean phases under one key after the other, cut at 1,000 lines."""
    block = "".join(
        f"    {line}" if line.strip() else line
        for line in RECIPE.read_text("utf-8").splitlines(keepends=True)
    )
    text = "".join(f"part_{number}:\n{block}" for number in range(1 + LINES // block.count("\n")))
    return "".join(text.splitlines(keepends=True)[:LINES])


def best(work: Callable[[], object]) -> float:
    """The least CPU time of some runs, in milliseconds."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds) * 1000


def measure() -> None:
    source = Source.of("x.sdn", long_recipe())
    parsed = read(source.text)
    print(f"{LINES} lines, {len(source.text.encode()) // 1024} KiB; CPU time, the best of {REPEATS}")
    print(
        f"  reading: {best(lambda: parse(source)):.0f} ms   writing: {best(lambda: formatted(parsed)):.0f} ms"
    )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=10_000)
    compare(options.parse_args().texts)
    measure()
