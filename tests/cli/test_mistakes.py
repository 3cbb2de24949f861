"""A few of the mistakes that ``tests/bench/mistakes.py`` makes: found, at their line, with what to write."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

BENCH = Path(__file__).parent.parent / "bench" / "mistakes.py"


def test_single_mistakes_are_found_at_their_line_with_what_to_write(monkeypatch):
    spec = importlib.util.spec_from_file_location("bench_mistakes", BENCH)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    figures = module.measure(60, seed=3)
    assert (figures["mistakes"], figures["false_alarms"], figures["tracebacks"]) == (60, 0, 0)
    assert sum(row["made"] > 0 for row in figures["kinds"].values()) >= 20
    for name, share in module.TARGETS.items():
        assert figures[name] >= share, name
