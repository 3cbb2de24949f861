"""A real training that goes on with an adapter and makes another, in stages: cut off, it ends with the same bytes."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline_dsl.api import hookimpl
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.request import RunRequest
from pipeline_dsl.run.start import run_plan

pytestmark = pytest.mark.usefixtures("one_thread")
RECIPE = """\
recipe: staged
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
train: {{epochs: 2, batch_size: 2, learning_rate: 1e-3, max_length: 96, save_steps: 2}}
phases:
    plain:
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            texts, plain_text, 1
    both:
        stack |adapter, role|
            korean, continue
            terms, train
        mix |data, template, weight|
            terms, dictionary, 0.75
            texts, plain_text, 0.25
        stages |stage, template, samples, until, at_most|
            few, translate, 2, "fluency < 1000000 for 2", 0.5
            all, null, null, null, null
        train: {{epochs: 4}}
"""
TEXTS = [{"text": f"고혈압은 혈압이 높은 병이다. {n} mmHg."} for n in (120, 130, 140, 150, 160, 170)]
TERMS = [
    {"english": e, "korean": k}
    for e, k in (("heart", "심장"), ("lung", "폐"), ("liver", "간"), ("kidney", "콩팥"))
]


class CutError(BaseException):
    """The process is gone."""


class AfterTheFirstStage:
    @hookimpl
    def medrecipe_stage_completed(self, event):
        if event.index == 0:
            raise CutError


@dataclass(frozen=True)
class Bench:
    folder: Path

    def plan(self) -> Plan:
        loaded = load_recipe(str(self.folder / "staged.sdn"))
        assert loaded.recipe is not None, loaded.diagnostics
        plan, findings = check_recipe(loaded.recipe, build_catalog())
        assert plan is not None, findings
        return hash_files(plan)

    def run(self, runs: str, *, resume: str | None = None, listeners=()) -> Path:
        request = RunRequest(
            plan=self.plan(), recipe_text="", runs=self.folder / runs, resume=resume, say=lambda _: None,
            listeners=listeners,
        )  # fmt: skip
        outcome = run_plan(request, build_catalog())
        assert outcome.status == "finished"
        return outcome.folder

    def only(self, runs: str) -> Path:
        """The folder of the one run there."""
        (folder,) = (p for p in (self.folder / runs / "staged").iterdir() if p.is_dir())
        return folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("staged")
    for name, rows in (("texts", TEXTS), ("terms", TERMS)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    (folder / "staged.sdn").write_text(RECIPE.format(cache=folder / "cache"), encoding="utf-8")
    return Bench(folder)


@pytest.fixture(scope="module")
def finished(bench: Bench) -> Path:
    """A run that nothing disturbed."""
    return bench.run("straight")


def weights(folder: Path) -> dict[str, bytes]:
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "phases").rglob("adapter*/adapter_*"))
    }
    assert len(found) == 2 * (1 + 2 + 2 * 2)
    return found


def steps(folder: Path) -> list[int]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [x["step"] for x in lines if x["event"] == "iteration_completed" and x["phase"] == "both"]


def test_both_adapters_are_trained_in_both_stages(finished: Path):
    record = json.loads((finished / "phases/both/phase.json").read_text("utf-8"))
    few, every = record["stages"]
    assert (few["reached"], few["stopped"] is not None) == (True, True)
    assert few["steps"] + every["steps"] == record["metrics"]["steps"] == len(steps(finished))
    made = weights(finished)
    for name in ("adapter-korean", "adapter-terms"):
        file = f"{name}/adapter_model.safetensors"
        assert made[f"phases/both/{file}"] == made[f"phases/both/stages/all/{file}"]
        assert made[f"phases/both/{file}"] != made[f"phases/both/stages/few/{file}"]
    file = "adapter_model.safetensors"
    assert made[f"phases/both/adapter-korean/{file}"] != made[f"phases/plain/adapter/{file}"]


def test_the_manifests_say_what_training_went_on_from_and_what_was_trained_with_it(finished: Path):
    run = RunFolder(finished)
    plan = from_json(run.read_json("plan.json"))
    for name, other in (("korean", "terms"), ("terms", "korean")):
        found = manifest.verify(plan, plan.phase("both"), name, run)
        (parent,) = found["parents"]
        assert (parent["adapter"], parent["role"], parent["phase"]) == ("korean", "continue", "plain")
        (beside,) = found["together"]
        assert (beside["adapter"], beside["folder"]) == (other, f"../adapter-{other}")


def test_cut_off_between_two_stages_it_goes_on_to_the_same_bytes(bench: Bench, finished: Path):
    with pytest.raises(CutError):
        bench.run("between", listeners=(("cut", AfterTheFirstStage()),))
    folder = bench.only("between")
    assert not (folder / "phases" / "both" / "checkpoints" / "few").exists()
    bench.run("between", resume=folder.name)
    assert steps(folder) == steps(finished)
    assert weights(folder) == weights(finished)


def test_killed_in_its_second_stage_it_goes_on_to_the_same_bytes(bench: Bench, finished: Path, forks):
    plan = bench.folder / "plan.json"
    plan.write_text(json.dumps(to_json(bench.plan())), encoding="utf-8")
    child = forks.start(plan, bench.folder / "killed")
    end = time.monotonic() + 60
    while not reached(bench, 8):
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    assert forks.wait() == -signal.SIGKILL
    folder = bench.only("killed")
    record = folder / "phases" / "both" / "stages" / "few" / "stage.json"
    assert record.exists()
    assert not (folder / "phases" / "both" / "stages" / "all" / "stage.json").exists()
    bench.run("killed", resume=folder.name)
    assert weights(folder) == weights(finished)
    assert steps(folder).count(1) == 1, "it began anew instead of going on"


def reached(bench: Bench, step: int) -> bool:
    try:
        return step in steps(bench.only("killed"))
    except (FileNotFoundError, ValueError):
        return False
