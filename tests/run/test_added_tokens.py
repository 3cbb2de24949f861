"""Tokens that a recipe adds, through whole runs: trained, continued, merged; never on another tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline_dsl.api import DataError, Fertility, ModelError, Prepared
from pipeline_dsl.cli.main import main
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.estimate import estimate, identify
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.request import RunRequest
from pipeline_dsl.run.start import run_plan
from pipeline_dsl.run.unseen import refuse_unseen

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENS = ["췌장염증", "간경변증", "hepatomegaly"]
RECIPE = """\
recipe: tokens
device: cpu
model:
    use: embedded
    architecture: llama
    layers: 1
    width: 32
    heads: 2
    kv_heads: 1
    mlp_width: 48
    vocabulary: 400
    max_positions: 128
    pretraining_steps: 0
    add_tokens_from: tokens.txt
    cache: {cache}
adapters:
    korean: {{use: lora, r: 2, alpha: 4, train_new_tokens: true}}
    terms: {{use: lora, r: 2, alpha: 4}}
data:
    texts: {{use: jsonl, path: texts.jsonl}}
    others: {{use: jsonl, path: others.jsonl}}
train: {{epochs: 2, batch_size: 2, learning_rate: 1e-2, weight_decay: 0.1, max_length: 96, save_steps: 1}}
phases:
    plain:
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            texts, plain_text, 1
    more:
        stack |adapter, role|
            korean, continue
        mix |data, template, weight|
            others, plain_text, 1
    terms:
        stack |adapter, role|
            korean, merge
            terms, train
        mix |data, template, weight|
            others, plain_text, 1
"""
DATA = {
    "texts": [f"{token}이 있는 환자다. {n}" for n in (1, 2) for token in TOKENS],
    "others": [f"혈압 {n} mmHg" for n in range(4)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe, its tokens and its data."""
    folder = tmp_path_factory.mktemp("tokens")
    for name, texts in DATA.items():
        lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "tokens.txt").write_text("\n".join(TOKENS), encoding="utf-8")
    (folder / "tokens.sdn").write_text(RECIPE.format(cache=folder / "cache"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def finished(folder: Path) -> RunFolder:
    outcome = run_plan(
        RunRequest(plan=plan_of(folder), recipe_text="", runs=folder / "runs", say=lambda _: None),
        build_catalog(),
    )
    assert outcome.status == "finished"
    return RunFolder(outcome.folder)


def plan_of(folder: Path, *settings: str) -> Plan:
    loaded = load_recipe(str(folder / "tokens.sdn"), sets=list(settings))
    assert loaded.recipe is not None, loaded.diagnostics
    plan, findings = check_recipe(loaded.recipe, build_catalog())
    assert plan is not None, findings
    return hash_files(plan)


def rows_of(run: RunFolder, phase: str):
    from safetensors.torch import load_file

    tensors = load_file(run.phase(phase) / "adapter" / "adapter_model.safetensors")
    return next((t for key, t in tensors.items() if "trainable_tokens" in key), None)


def test_rows_are_trained_then_continued_then_merged(finished: RunFolder) -> None:
    first, second = rows_of(finished, "plain"), rows_of(finished, "more")
    assert first.shape == second.shape == (len(TOKENS), 32)
    assert (second - first).abs().max() > 0
    assert rows_of(finished, "terms") is None
    proof = json.loads((finished.phase("terms") / "adapter" / "stack.json").read_text("utf-8"))["merge"]
    assert proof["max_abs_logit_difference"] <= proof["tolerance"]
    assert proof["probes"] == 7


def test_the_planned_count_is_the_trained_one(folder: Path, finished: RunFolder) -> None:
    planned = estimate(plan_of(folder), build_catalog(), print)
    for phase in planned.phases:
        record = json.loads((finished.phase(phase.name) / "phase.json").read_text("utf-8"))
        for figure in ("trainable_parameters", "total_parameters"):
            assert record["metrics"][figure] == getattr(phase.estimate, figure)


def test_a_plan_says_what_the_tokens_gain(folder: Path, finished: RunFolder) -> None:
    planned = estimate(plan_of(folder), build_catalog(), print)
    assert planned.fertility.characters == sum(map(len, DATA["texts"]))
    assert planned.fertility.tokens < planned.fertility.tokens_before
    assert from_json(json.loads(json.dumps(to_json(planned)))).fertility == planned.fertility
    without = ("model.add_tokens_from=null", "adapters.korean.train_new_tokens=false")
    assert estimate(plan_of(folder, *without), build_catalog(), print).fertility is None


def test_a_plan_shows_fertility(folder: Path, finished: RunFolder, capsys) -> None:
    recipe = str(folder / "tokens.sdn")
    assert main(["plan", recipe]) == 0
    assert " tokens a character with the added tokens, " in " ".join(capsys.readouterr().out.split())
    assert main(["plan", recipe, "--json"]) == 0
    fertility = json.loads(capsys.readouterr().out)["plan"]["fertility"]
    assert Fertility(**fertility).tokens > 0


def test_an_adapter_is_not_put_on_a_base_without_its_tokens(folder: Path, finished: RunFolder) -> None:
    catalog = build_catalog()
    for settings in (["model.add_tokens_from=null"], ["model.add_tokens=[신부전증]"]):
        other = identify(plan_of(folder, *settings), catalog, lambda _: None)
        with pytest.raises(ModelError, match="another base than the one that is here: tokenizer_sha256"):
            manifest.verify(other, other.phase("plain"), "korean", finished)


def test_tokens_that_are_in_no_sample_are_refused_before_training(folder: Path, tmp_path: Path) -> None:
    plan = plan_of(folder, "model.add_tokens=[신부전증]")
    with pytest.raises(DataError, match="1 of 4 added tokens are in no sample that `plain`") as caught:
        run_plan(RunRequest(plan=plan, recipe_text="", runs=tmp_path, say=lambda _: None), build_catalog())
    assert caught.value.code == "MR543"
    assert caught.value.exit_code == 3


def test_the_tokens_that_are_missing_are_named_up_to_five() -> None:
    fresh = {i: f"t{i}" for i in range(10)}
    samples = [Prepared("a", [3, 0, 9], 1), Prepared("b", [0, 1], 1)]
    with pytest.raises(DataError, match=r"6 of 10 added tokens .*: t2, t4, t5, t6, t7 and 1 more"):
        refuse_unseen(fresh, "plain", samples)
    refuse_unseen({0: "t0", 9: "t9"}, "plain", iter(samples))
