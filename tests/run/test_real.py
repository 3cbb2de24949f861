"""Real trainings, as small as they can be: two phases on a model of a few thousand weights."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.evaluate import evaluate_run
from pipeline_dsl.run.request import RunRequest
from pipeline_dsl.run.start import run_plan
from pipeline_dsl.run.summary import read_summary

pytestmark = pytest.mark.usefixtures("one_thread")
RECIPE = """\
recipe: real
seed: 5
device: cpu
model:
    use: embedded
    architecture: gemma3
    layers: 2
    width: 64
    heads: 2
    kv_heads: 1
    mlp_width: 96
    vocabulary: 400
    max_positions: 128
    pretraining_steps: 3
    cache: {cache}
adapters:
    korean: {{use: lora, r: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}}
    terms: {{like: korean, r: 2}}
data:
    texts: {{use: jsonl, path: texts.jsonl}}
    terms: {{use: jsonl, path: terms.jsonl}}
tasks |task, data, template, metric, limit|
    fluency, texts, plain_text, perplexity, 4
    terms, terms, dictionary, exact_match, 2
train: {{epochs: 2, batch_size: 2, learning_rate: 1e-3, max_length: 96, save_steps: 2}}
phases:
    plain:
        task: fluency
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            texts, plain_text, 1
    dictionary:
        task: terms
        stack |adapter, role|
            korean, merge
            terms, train
        mix |data, template, weight|
            terms, dictionary, 0.75
            texts, plain_text, 0.25
        train: {{use: lora_sft, epochs: 6}}
"""
TEXTS = [{"text": f"고혈압은 혈압이 높은 병이다. {n} mmHg."} for n in (120, 130, 140, 150, 160, 170)]
TERMS = [
    {"english": e, "korean": k}
    for e, k in (("heart", "심장"), ("lung", "폐"), ("liver", "간"), ("kidney", "콩팥"))
]


@dataclass(frozen=True)
class Bench:
    """A folder with the recipe and its data."""

    folder: Path

    def plan(self) -> Plan:
        loaded = load_recipe(str(self.folder / "real.sdn"))
        assert loaded.recipe is not None, loaded.diagnostics
        plan, findings = check_recipe(loaded.recipe, build_catalog())
        assert plan is not None, findings
        return hash_files(plan)

    def run(self, runs: str, *, resume: str | None = None) -> Path:
        request = RunRequest(
            plan=self.plan(), recipe_text="", runs=self.folder / runs, resume=resume, say=lambda _: None
        )
        outcome = run_plan(request, build_catalog())
        assert outcome.status == "finished"
        return outcome.folder

    def only(self, runs: str) -> Path:
        """The folder of the one run there."""
        (folder,) = (p for p in (self.folder / runs / "real").iterdir() if p.is_dir())
        return folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("real")
    for name, rows in (("texts", TEXTS), ("terms", TERMS)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    (folder / "real.sdn").write_text(RECIPE.format(cache=folder / "cache"), encoding="utf-8")
    return Bench(folder)


@pytest.fixture(scope="module")
def finished(bench: Bench) -> Path:
    """A run of both phases that nothing disturbed."""
    return bench.run("straight")


def losses(folder: Path) -> list[tuple[str, int, float, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    steps = [line for line in lines if line["event"] == "iteration_completed"]
    return [(line["phase"], line["step"], line["loss"], line["grad_norm"]) for line in steps]


def weights(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.glob("phases/*/adapter/adapter_*"))
    }


def test_both_phases_are_trained_scored_and_their_merge_proven(finished: Path):
    assert read_summary(finished).status == "finished"
    assert [(p, s) for p, s, _, _ in losses(finished)] == [
        *(("plain", n) for n in range(1, 7)), *(("dictionary", n) for n in range(1, 19)),
    ]  # fmt: skip
    manifest = json.loads((finished / "phases/dictionary/adapter/stack.json").read_text("utf-8"))
    proof = manifest["merge"]
    assert proof["adapters"] == ["korean"]
    assert proof["max_abs_logit_difference"] <= proof["tolerance"]
    matrix = json.loads((finished / "retention.json").read_text("utf-8"))
    assert matrix["rows"] == ["base", "plain", "dictionary"]
    assert all(score is not None for row in matrix["scores"] for score in row)


def test_the_same_recipe_and_seed_give_the_same_losses_and_weights_bit_for_bit(bench: Bench, finished: Path):
    again = bench.run("again")
    assert losses(again) == losses(finished)
    assert weights(again) == weights(finished)


def test_a_run_killed_in_mid_phase_is_crashed_and_goes_on_to_the_same_bytes(
    bench: Bench, finished: Path, forks: Any
):
    plan = bench.folder / "plan.json"
    plan.write_text(json.dumps(to_json(bench.plan())), encoding="utf-8")
    child = forks.start(plan, bench.folder / "killed")
    end = time.monotonic() + 60
    while _steps(bench, "dictionary") < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    assert forks.wait() == -signal.SIGKILL, "it was not killed in mid-phase"
    folder = bench.only("killed")
    assert read_summary(folder).status == "crashed"
    assert not (folder / "phases" / "dictionary" / "adapter").exists()
    bench.run("killed", resume=folder.name)
    assert read_summary(folder).status == "finished"
    assert weights(folder) == weights(finished)
    steps = [(phase, step) for phase, step, _, _ in losses(folder)]
    assert steps.count(("dictionary", 1)) == 1, "it began anew instead of going on"


def _steps(bench: Bench, phase: str) -> int:
    try:
        return sum(p == phase for p, *_ in losses(bench.only("killed")))
    except (FileNotFoundError, ValueError):
        return 0


@pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)  # PEFT 0.21 asks it
def test_stock_peft_on_the_base_that_the_manifest_describes_gives_the_runs_own_logits(finished: Path):
    """Nothing of ours is needed to use an adapter: the base, ``stack.json`` and PEFT are enough."""
    import torch
    from peft import PeftModel

    from pipeline_dsl.api import LoadRequest
    from pipeline_dsl.plan.choose import make
    from pipeline_dsl.run.context import Context
    from pipeline_dsl.run.folder import RunFolder

    plan = from_json(json.loads((finished / "plan.json").read_text("utf-8")))
    catalog = build_catalog()
    request = LoadRequest(device="cpu", seed=5)
    phase = plan.phase("dictionary")
    own = make(catalog, plan.model).load(request)
    context: Any = Context(
        plan=plan, catalog=catalog, folder=RunFolder(finished),
        listeners=None, scorer=None, scores=None, interrupts=None, say=print,
    )  # fmt: skip
    context.attach(own, phase, trained=True)

    top = finished / "phases" / "dictionary" / "adapter"
    manifest = json.loads((top / "stack.json").read_text("utf-8"))
    stock: Any = make(catalog, plan.model).load(request).module
    for parent in manifest["parents"]:
        stock = PeftModel.from_pretrained(stock, str(top / parent["folder"])).merge_and_unload()
    stock = PeftModel.from_pretrained(stock, str(top))

    ids = own.tokenizer("고혈압 heart 심장", return_tensors="pt").input_ids
    for model in (own.module, stock):
        model.eval()
    with torch.no_grad():
        ours, theirs = (m(input_ids=ids, use_cache=False).logits for m in (own.module, stock))
        untouched = make(catalog, plan.model).load(request).module(input_ids=ids, use_cache=False).logits
    assert float((ours - theirs).abs().max()) <= 1e-5
    assert float((ours - untouched).abs().max()) > 1e-3


def test_a_finished_run_is_scored_again_to_the_same_figures(bench: Bench, finished: Path):
    scores = evaluate_run(bench.folder / "straight", finished.name, build_catalog(), say=lambda _: None)
    matrix = json.loads((finished / "retention.json").read_text("utf-8"))
    assert [scores[task].value for task in matrix["tasks"]] == pytest.approx(matrix["scores"][-1], rel=1e-6)
