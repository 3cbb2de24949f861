"""A real training, cut off in the middle, ends with the weights of the same best step, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline_dsl.api import events, hookimpl
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.request import RunRequest
from pipeline_dsl.run.start import run_plan

pytestmark = pytest.mark.usefixtures("one_thread")
RECIPE = """\
recipe: keeping
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
    cache: CACHE
adapters:
    korean: {use: lora, r: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
data:
    texts: {use: jsonl, path: texts.jsonl}
    others: {use: jsonl, path: others.jsonl}
tasks |task, data, template, metric|
    fluency, others, plain_text, loss
train: {max_steps: 40, batch_size: 2, learning_rate: 5e-2, lr_scheduler: constant, max_length: 96, save_steps: 3}
phases:
    plain:
        task: fluency
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            texts, plain_text, 1
        hooks |on, every, do|
            iteration_completed, 2, {use: evaluate, tasks: [fluency]}
            evaluation_completed, 1, {use: keep_best, task: fluency}
            evaluation_completed, 1, {use: early_stop, monitor: fluency, patience: 3}
"""


class CutError(BaseException):
    """The process is gone."""


class Cutter:
    """Ends the run after a step, as a power cut does: nothing is said or written any more."""

    def __init__(self, step: int) -> None:
        self._step = step

    @hookimpl
    def medrecipe_iteration_started(self, event: events.IterationStarted) -> None:
        if event.step == self._step:
            raise CutError


@pytest.fixture
def run(tmp_path: Path):
    for name, unit in (("texts", "mmHg"), ("others", "kPa")):
        rows = [json.dumps({"text": f"The pressure is {n} {unit}."}) for n in (120, 130, 140, 150)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    path = tmp_path / "r.sdn"
    path.write_text(RECIPE.replace("CACHE", str(tmp_path / "cache")), encoding="utf-8")
    loaded = load_recipe(str(path))
    assert loaded.recipe is not None, loaded.diagnostics
    catalog = build_catalog()
    plan, findings = check_recipe(loaded.recipe, catalog)
    assert plan is not None, findings

    def start(runs: str, *listeners, resume: str | None = None) -> Path:
        request = RunRequest(
            plan=hash_files(plan), recipe_text="", runs=tmp_path / runs, resume=resume, say=lambda _: None,
            listeners=tuple(("cutter", listener) for listener in listeners),
        )  # fmt: skip
        return run_plan(request, catalog).folder

    return start


def result(folder: Path) -> tuple[bytes, tuple]:
    record = json.loads((folder / "phases/plain/phase.json").read_text("utf-8"))
    metrics = record["metrics"]
    weights = (folder / "phases/plain/adapter/adapter_model.safetensors").read_bytes()
    return weights, tuple(metrics[name] for name in ("steps", "kept_step", "stopped", "loss", "fluency"))


def test_a_training_that_was_cut_off_keeps_and_stops_at_the_same_steps_with_the_same_bytes(run, tmp_path):
    whole = run("whole")
    expected = result(whole)
    steps, kept, stopped, _, fluency = expected[1]
    assert steps == kept + 6 < 40, "three looks, every second step"
    assert stopped.startswith("fluency did not get better than ")
    lines = (whole / "logs" / "fluency.jsonl").read_text("utf-8").splitlines()
    scores = {line["step"]: line["value"] for line in map(json.loads, lines)}
    assert min(scores.values()) == scores[kept] == pytest.approx(fluency)
    for cut in (kept + 1, steps - 1):
        with pytest.raises(CutError):
            run(f"cut-{cut}", Cutter(cut))
        (folder,) = (tmp_path / f"cut-{cut}" / "keeping").iterdir()
        assert result(run(f"cut-{cut}", resume=folder.name)) == expected
