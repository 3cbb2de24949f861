"""The number format of a base is measured once for a run: whoever opens the run has its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medrecipe_plugins.models import _embedded, _machine
from medrecipe_plugins.models.embedded import Options
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.estimate import estimate, identify
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog

RECIPE = """\
recipe: precise
device: cpu
model: {use: causal_lm, folder: base}
adapters:
    korean: {use: lora, r: 2, alpha: 4}
data:
    texts: {use: jsonl, path: texts.jsonl}
phases:
    plain:
        stack |adapter, role|
            korean, train
        mix |data, template|
            texts, plain_text
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("precise")
    tiny = {"layers": 1, "width": 32, "heads": 2, "kv_heads": 1, "mlp_width": 48, "max_positions": 64}
    options = Options(architecture="llama", vocabulary=400, pretraining_steps=0, **tiny)
    _embedded.build(options, folder / "base", lambda _: None)
    (folder / "texts.jsonl").write_text(json.dumps({"text": "심장은 펌프다."}) + "\n", encoding="utf-8")
    (folder / "precise.sdn").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture
def speed(monkeypatch):
    """Return a function that makes this CPU so many times as fast in bfloat16 as in float32."""
    return lambda times: monkeypatch.setattr(_machine, "bfloat16_speed", lambda _: times)


def plan_of(folder: Path, *settings: str) -> Plan:
    loaded = load_recipe(str(folder / "precise.sdn"), sets=list(settings))
    assert loaded.recipe is not None, loaded.diagnostics
    plan, findings = check_recipe(loaded.recipe, build_catalog())
    assert plan is not None, findings
    return hash_files(plan)


def identified(plan: Plan) -> Plan:
    return identify(plan, build_catalog(), lambda _: None)


@pytest.mark.parametrize(("times", "dtype"), [(2.0, "bfloat16"), (1.05, "float32"), (0.2, "float32")])
def test_a_cpu_computes_in_what_it_is_clearly_faster_in_and_the_plan_says_why(folder, speed, times, dtype):
    speed(times)
    notes: list[str] = []
    planned = estimate(plan_of(folder), build_catalog(), notes.append)
    assert planned.base is not None
    assert (planned.base.dtype, planned.model.options["dtype"]) == (dtype, dtype)
    assert notes == [
        f"weights in {dtype}: this CPU multiplies matrices in bfloat16 {times:.2g} times as fast as in float32"
    ]
    assert planned.phases[0].fingerprint == identified(plan_of(folder)).phases[0].fingerprint


def test_a_machine_that_is_slower_in_it_opens_a_run_in_the_numbers_of_the_run(folder, speed):
    speed(2.0)
    stored = from_json(json.loads(json.dumps(to_json(identified(plan_of(folder))))))
    speed(0.2)
    assert identified(stored).base == stored.base
    assert identified(stored).phases[0].fingerprint == stored.phases[0].fingerprint
    assert identified(plan_of(folder)).base != stored.base


def test_what_a_recipe_asks_for_is_taken_without_a_word(folder, speed):
    speed(0.2)
    notes: list[str] = []
    planned = estimate(plan_of(folder, "model.dtype=bfloat16"), build_catalog(), notes.append)
    assert planned.base is not None
    assert planned.base.dtype == "bfloat16"
    assert notes == []


def test_what_is_measured_is_a_ratio():
    assert 0.01 < _machine.bfloat16_speed(1) < 100


def test_a_plan_says_how_its_phases_are_trained(folder, speed):
    speed(0.2)

    def manner(*settings: str) -> str:
        return estimate(plan_of(folder, *settings), build_catalog(), print).phases[0].estimate.manner

    options = "phases.plain.train={max_length: 48, batch_size: 2}"
    assert manner(options) == "in packs of at most 96 tokens"
    assert manner("phases.plain.train={use: trainer}") == ""


def test_a_plan_says_where_packs_are_not_right(folder, speed):
    speed(0.2)
    config = json.loads((folder / "base" / "config.json").read_text("utf-8"))
    other = folder / "other"
    other.mkdir()
    for file in (folder / "base").iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    rope = {**config["rope_parameters"], "rope_type": "dynamic", "factor": 2.0}
    (other / "config.json").write_text(json.dumps({**config, "rope_parameters": rope}), "utf-8")
    planned = estimate(plan_of(folder, "model.folder=" + str(other)), build_catalog(), print)
    expected = "in padded batches: its position embeddings change with the length of a batch"
    assert planned.phases[0].estimate.manner == expected
