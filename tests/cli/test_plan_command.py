from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipeline_dsl.cli.record_schema import record_schema
from pipeline_dsl.plan.model import Plan


def test_a_plan_says_what_each_phase_stands_on_trains_and_costs(medrecipe, recipe):
    result = medrecipe("plan", "r.sdn")
    assert result.code == 0
    assert result.out.splitlines() == [
        "연습 (r.sdn)",
        "base fake, fake, device cpu, seed 42",
        "",
        "1 하나: will run: no finished run of it",
        "  stack     base -> trains first",
        "  trains    50 of 1,050 parameters (4.8 %)",
        "  data      texts 100 %",
        "            3 samples and 21 tokens an epoch, 20 steps in all",
        "  prepared  made anew",
        "  teaches   fluency",
        "",
        "2 two: will run: no finished run of it",
        "  stack     base + first merged -> trains second",
        "  trains    50 of 1,050 parameters (4.8 %)",
        "  data      texts 100 %",
        "            3 samples and 21 tokens an epoch, 20 steps in all",
        "  prepared  made anew",
        "",
        "2 phases to train in 40 steps",
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("fluency, null, null, 1%, reject", "fluency at most 1 % above its best, else reject"),
        ("fluency, 0.5, null, null, warn", "fluency at most its best / 0.50, else warn"),
        ("fluency, null, 2, null, warn", "fluency at most 2.00 above its best, else warn"),
        ("exam, 0.5, null, null, warn", "exam at least 50 % of its best, else warn"),
        ("exam, null, 0.1, null, warn", "exam at most 0.10 below its best, else warn"),
    ],
)
def test_a_contract_is_put_into_words(medrecipe, recipe, row, words):
    tasks = "    fluency, texts, plain_text, perplexity\n"
    text = recipe.read_text().replace(tasks, f"{tasks}    exam, texts, plain_text, exact_match\n")
    retain = f"        retain |task, keep, drop, rise, otherwise|\n            {row}\n"
    recipe.write_text(text.replace("    two:\n", f"    two:\n{retain}"))
    assert f"  keeps     {words}\n" in medrecipe("plan", "r.sdn").out


def test_stages_are_told_with_their_steps_and_ends(medrecipe, recipe):
    rows = (
        '            few, plain_text, 2, "fluency < 9 for 2", 0.5\n            all, null, null, null, null\n'
    )
    stages = f"        stages |stage, template, samples, until, at_most|\n{rows}"
    recipe.write_text(recipe.read_text().replace("    two:\n", f"    two:\n{stages}"))
    lines = medrecipe("plan", "r.sdn").out.splitlines()
    at = lines.index("  stages    few: plain_text, at most 2 rows, at most 10 steps, until fluency < 9 for 2")
    assert lines[at + 1] == "            all: at most 10 steps"


def test_roles_are_told_apart(medrecipe, recipe):
    stack = "            first, freeze\n            second, continue\n"
    third = f"    셋:\n        stack |adapter, role|\n{stack}        mix |data, template|\n            texts, plain_text\n"
    recipe.write_text(recipe.read_text().replace("profiles:\n", f"{third}profiles:\n"))
    assert "  stack     base + first frozen -> trains second on\n" in medrecipe("plan", "r.sdn").out


ABSENT = {"name": "google/medgemma-4b-it", "offline": True}


def of_an_absent_model(recipe: Path) -> None:
    text = recipe.read_text().replace(
        "model: {use: fake}", f"model: {json.dumps({'use': 'causal_lm', **ABSENT})}"
    )
    recipe.write_text(
        text.replace("{use: fake}\n    second: {use: fake}", "{use: lora}\n    second: {use: lora}")
    )


def test_a_plan_on_a_model_that_is_not_here_says_what_it_can(process, recipe, tmp_path):
    of_an_absent_model(recipe)
    result = process("plan", "r.sdn", HF_HUB_CACHE=str(tmp_path / "empty"))
    assert (result.code, result.err) == (0, "")
    assert "base google/medgemma-4b-it (not here yet)" in result.out
    assert "3 samples an epoch, 20 steps in all" in result.out
    assert "of 4,3" in result.out, "parameters are counted on the published shapes"
    missing = "not known yet: tokens, what can be reused (google/medgemma-4b-it is not on this machine"
    assert f"note: {missing}" in result.out
    assert "note: the shapes of google/medgemma-4b-it are those that were published" in result.out


def test_a_run_on_a_model_that_is_not_here_ends_with_4_before_anything_is_written(process, recipe, tmp_path):
    of_an_absent_model(recipe)
    result = process("run", "r.sdn", HF_HUB_CACHE=str(tmp_path / "empty"))
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("error[MR451]: google/medgemma-4b-it is not on this machine")
    assert "https://huggingface.co/google/medgemma-4b-it" in result.err
    assert not (tmp_path / "runs").exists()


def test_a_plan_says_what_will_be_reused(medrecipe, recipe):
    medrecipe("run", "r.sdn")
    out = medrecipe("plan", "r.sdn").out
    assert "1 하나: reused from run" in out
    assert out.splitlines()[-1] == "nothing to train: every phase is reused"
    assert (
        "two: will run: its fingerprint changed"
        in medrecipe("plan", "r.sdn", "--set", "phases.two.seed=9").out
    )


def test_a_plan_says_whether_prepared_data_is_reused(medrecipe, recipe):
    def prepared(*options):
        plan = json.loads(medrecipe("plan", "r.sdn", "--json", *options).out)["plan"]
        return [phase["estimate"]["prepared"] for phase in plan["phases"]]

    assert prepared() == [["made anew"], ["made anew"]]
    medrecipe("run", "r.sdn")
    assert prepared() == [["reused"], ["reused"]]
    assert "  prepared  reused\n" in medrecipe("plan", "r.sdn").out
    assert prepared("--max-samples", "2") == [["made anew"], ["made anew"]]


def test_a_plan_as_json_fits_the_exported_schema(medrecipe, recipe):
    data = json.loads(medrecipe("plan", "r.sdn", "--json").out)
    assert (data["schema_version"], data["notes"]) == (1, [])
    assert [(p["name"], p["will"]) for p in data["phases"]] == [("하나", "run"), ("two", "run")]
    Draft202012Validator(record_schema(Plan, "a plan")).validate(data["plan"])


def test_a_plan_of_a_wrong_recipe_is_not_printed(medrecipe, recipe):
    result = medrecipe("plan", "r.sdn", "--json", "--set", "seed=-1")
    assert (result.code, result.out) == (2, "")
    assert "error[MR331]" in result.err
