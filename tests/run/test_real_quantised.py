"""A real run on a base of 4 bits from the command line: freeze stack, evaluations in training, memory."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """\
recipe: packed
seed: 5
model:
    use: embedded
    architecture: llama
    layers: 2
    width: 64
    heads: 2
    kv_heads: 1
    mlp_width: 128
    vocabulary: 400
    max_positions: 128
    pretraining_steps: 3
    cache: built
    quantization: nf4
adapters:
    korean: {use: lora, r: 4, target_modules: all-linear}
    terms: {like: korean, r: 2}
data:
    texts: {use: jsonl, path: texts.jsonl}
tasks |task, data, template, metric, limit|
    fluency, texts, plain_text, perplexity, 4
train: {max_steps: 4, batch_size: 2, learning_rate: 1e-2, max_length: 96, gradient_checkpointing: true}
phases:
    plain:
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            texts, plain_text, 1
    terms:
        stack |adapter, role|
            korean, freeze
            terms, train
        mix |data, template, weight|
            texts, plain_text, 1
hooks |on, every, when, do|
    iteration_completed, 2, null, evaluate
"""
SIZES = r"memory: [\d.]+ [MG]B before, [\d.]+ [MG]B at the peak, [\d.]+ [MG]B after \(process\)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    rows = [{"text": f"고혈압은 혈압이 높은 병이다. {n} mmHg."} for n in range(120, 180, 10)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (folder / "packed.sdn").write_text(RECIPE, encoding="utf-8")
    return folder


def command(*words: object) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main([str(word) for word in words])
    assert code == 0, out.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def said(folder: Path) -> str:
    """What the run said on a pipe."""
    return command("run", folder / "packed.sdn", "--runs", folder / "runs")


@pytest.fixture(scope="module")
def run(said: str, folder: Path) -> Path:
    (found,) = (p for p in (folder / "runs" / "packed").iterdir() if p.is_dir())
    return found


def test_it_trains_both_phases_and_says_how_many_parameters(said):
    lines = re.findall(r"trains ([\d,]+) of ([\d,]+) parameters \(([\d.]+) %\) on cpu in float32", said)
    first, second = ([int(n.replace(",", "")) for n in line[:2]] for line in lines)
    assert first[0] == 2 * second[0]  # half the rank
    assert first[1] == second[1] - second[0]  # the frozen adapter counts in the whole


def test_the_whole_is_what_the_plan_counts_without_the_weights(said, folder):
    plan = json.loads(command("plan", folder / "packed.sdn", "--runs", folder / "runs", "--json"))
    told = [int(n.replace(",", "")) for n in re.findall(r"trains [\d,]+ of ([\d,]+) parameters", said)]
    phases = plan["plan"]["phases"]
    assert [phase["estimate"]["total_parameters"] for phase in phases] == told


def test_each_phase_says_its_memory_in_one_line_and_the_record_keeps_it(said, run, folder):
    assert len(re.findall(SIZES, said)) == 2
    for name in ("plain", "terms"):
        memory = json.loads((run / "phases" / name / "phase.json").read_text("utf-8"))["metrics"]["memory"]
        assert memory["kind"] == "rss"
        assert 0 < memory["before"] <= memory["peak"] >= memory["after"] > 0
    shown = command("runs", "show", run.name, "--runs", folder / "runs")
    assert len(re.findall(SIZES.replace("memory:", "memory of (?:plain|terms):"), shown)) == 2
    data = json.loads(command("runs", "show", run.name, "--runs", folder / "runs", "--json"))
    assert [set(p["metrics"]["memory"]) for p in data["run"]["phases"]] == [
        {"kind", "before", "peak", "after"}
    ] * 2


def test_the_manifest_tells_in_which_bits_the_base_was(run):
    base = json.loads((run / "phases" / "terms" / "adapter" / "stack.json").read_text("utf-8"))["base"]
    told = {name: base[name] for name in ("quantisation", "double_quant", "compute_dtype", "dtype")}
    assert told == {
        "quantisation": "nf4",
        "double_quant": True,
        "compute_dtype": "float32",
        "dtype": "float32",
    }


def test_the_device_of_a_run_is_a_real_one(run):
    assert json.loads((run / "plan.json").read_text("utf-8"))["device"] in ("cpu", "cuda:0")


def test_the_same_recipe_in_other_bits_trains_anew(run, folder):
    def reused(*words: str) -> list[bool]:
        told = command("plan", folder / "packed.sdn", "--runs", folder / "runs", "--json", *words)
        return [bool(p["reused_from"]) for p in json.loads(told)["phases"]]

    assert reused() == [True, True]
    device = json.loads((run / "plan.json").read_text("utf-8"))["device"]
    assert reused("--device", device) == [True, True]  # what `auto` comes to here
    for change in ("quantization=int8", "double_quant=false", "compute_dtype=bfloat16", "dtype=bfloat16"):
        assert reused("--set", f"model.{change}") == [False, False]
