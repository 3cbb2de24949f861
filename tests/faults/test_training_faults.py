"""Faults of training, through the command line: what ends a run, with what code, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

TOY = Path(__file__).parents[1] / "run" / "toy_plugin.py"
STAGED = f"""\
recipe: staged
plugins = [{TOY}]
model: {{use: toy}}
adapters:
    first: {{use: table}}
    second: {{use: table}}
data:
    texts: {{use: jsonl, path: texts.jsonl}}
tasks |task, data, template, metric|
    exam, texts, plain_text, recall
train: {{use: loop, epochs: 5}}
phases:
    one:
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            texts, plain_text, 1
        stages |stage, samples, until, at_most|
            full, 1, "exam >= 0.7 for 2", 0.5
            normal, null, null, null
    two:
        stack |adapter, role|
            first, merge
            second, train
        mix |data, template, weight|
            texts, plain_text, 1
"""
TEXTS = "".join(json.dumps({"text": f"Sentence {n}."}) + "\n" for n in range(4))


def test_fault_71_a_threshold_that_is_never_reached_is_6_after_a_bounded_time(bench):
    bench.write("texts.jsonl", TEXTS)
    bench.write("r.sdn", STAGED)
    outcome = bench.run("run", "r.sdn")
    assert outcome.code == 6
    assert "error[MR485]" in outcome.err
    for word in ("`full`", "`one`", "exam >= 0.7 for 2", "10 steps", "exam 0.25", "at_most"):
        assert word in outcome.err
    (run,) = (bench.folder / "runs" / "staged").iterdir()
    assert json.loads((run / "phases" / "one" / "phase.json").read_text("utf-8"))["status"] == "failed"
    assert (run / "phases" / "one" / "stages" / "full" / "adapter" / "stack.json").exists()
    assert not (run / "phases" / "one" / "adapter").exists()
    assert not (run / "phases" / "two").exists()
    again = bench.run("run", "r.sdn", "--resume", run.name)
    assert (again.code, "error[MR485]" in again.err) == (6, True)


def test_fault_71_a_threshold_that_is_reached_lets_the_phase_go_on(bench):
    bench.write("texts.jsonl", TEXTS)
    bench.write("r.sdn", STAGED.replace("exam >= 0.7 for 2", "exam >= 0.25 for 2"))
    outcome = bench.run("run", "r.sdn")
    assert outcome.code == 0, outcome.both
    assert "stage 1/2 full: at most 10 steps, until exam >= 0.25 for 2" in outcome.out
    assert "stage 2/2 normal: at most 18 steps" in outcome.out
    (run,) = (bench.folder / "runs" / "staged").iterdir()
    shown = bench.run("runs", "show", run.name).out
    assert "stage one/full: 2 steps, ended early: stage `full`: exam >= 0.25 for 2" in shown
    assert "stage one/normal: 18 steps" in shown
