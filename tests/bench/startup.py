"""CPU time of the commands that people wait for, over a bare interpreter.

python tests/bench/startup.py [--rounds N] [--json]

Commands are interleaved, so that a noisy machine is noisy for all of them. CPU time is user + system of the process;
`check` is measured as installed and with a bytecode cache that is warm, as after a first use.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "medgemma_korean.sdn"
BUDGETS = {"--version": 60, f"check {RECIPE}": 250, "runs list": 120}
"""Milliseconds over ``python -c pass``."""


def cpu_ms(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as cache:
        warm = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
            "PYTHONPYCACHEPREFIX": cache
        }
        base = [sys.executable, "-c", "pass"]
        commands = {name: [sys.executable, "-m", "pipeline_dsl.cli.main", *name.split()] for name in BUDGETS}
        for command in (base, *commands.values()):
            cpu_ms(command, warm)
        seen: dict[str, list[float]] = {name: [] for name in BUDGETS}
        for _ in range(rounds):
            bare = cpu_ms(base, warm)
            for name, command in commands.items():
                seen[name].append(cpu_ms(command, warm) - bare)
    return {
        name.replace(f"{ROOT}/", ""): {
            "median_ms": round(statistics.median(times), 1),
            "least_ms": round(min(times), 1),
            "most_ms": round(max(times), 1),
            "budget_ms": BUDGETS[name],
        }
        for name, times in seen.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = measure(asked.rounds)
    if asked.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, row in figures.items():
            print(
                f"{name:40} {row['median_ms']:6.1f} ms [{row['least_ms']:.0f}, {row['most_ms']:.0f}], budget {row['budget_ms']}"
            )
    return int(any(row["median_ms"] > row["budget_ms"] for row in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
