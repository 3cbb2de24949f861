from __future__ import annotations

import json

import pytest

from pipeline_dsl.api import ModelError
from pipeline_dsl.plan.model import SCHEMA_VERSION
from pipeline_dsl.plan.plan_json import from_json, to_json

HOOKS = """
hooks |on, every, when, do|
    iteration_completed, 50, null, log
    epoch_completed, 1, "loss < 0.02 for 2", stop
"""


def through_a_file(plan, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(to_json(plan), ensure_ascii=False), encoding="utf-8")
    return from_json(json.loads(path.read_text(encoding="utf-8")))


def test_a_plan_goes_through_a_file_and_is_equal(desk, recipe, tmp_path):
    text = recipe.replace(
        "    three:", "        retain |task, rise|\n            fluency, 5%\n    three:\n        after: [one]"
    )
    text += HOOKS + "tags = [한국어, medical]\ntrackers: [sdn]\n"
    plan = desk.plan(text, max_samples=3, device="cpu")
    again = through_a_file(plan, tmp_path)
    assert again == plan
    assert to_json(again) == to_json(plan)


def test_a_plan_without_a_base_goes_through_a_file_and_is_equal(desk, tmp_path):
    plan = desk.plan(base=None)
    assert through_a_file(plan, tmp_path) == plan


def test_options_of_every_type_survive(desk, recipe, tmp_path):
    text = recipe.replace(
        "{use: lora, r: 2}",
        "{use: lora, r: 2, target_modules: [q_proj], rank_pattern: {q_proj: 4}, use_rslora: true}",
    )
    plan = desk.plan(text)
    assert through_a_file(plan, tmp_path) == plan
    assert plan.adapters["first"].options["target_modules"] == ["q_proj"]


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": SCHEMA_VERSION + 1},
        {"schema_version": None},
        {"phases": None},
        {"unheard_of": 1},
        {"model": {}},
        {"model": {"kind": "spaceship"}},
        {"tasks": [{}]},
        {"base": {"name": "x"}},
    ],
)
def test_case_68_a_plan_of_another_version_is_refused(desk, change):
    data = json.loads(json.dumps(to_json(desk.plan()))) | change
    with pytest.raises(ModelError) as caught:
        from_json(data)
    assert (caught.value.code, caught.value.exit_code) == ("MR468", 4)


@pytest.mark.parametrize("data", [None, [], "plan", 5, {}])
def test_case_68_what_is_no_plan_at_all_is_refused(data):
    with pytest.raises(ModelError) as caught:
        from_json(data)
    assert caught.value.code == "MR468"


def test_phases_and_tasks_are_found_by_name(desk):
    plan = desk.plan()
    assert plan.phase("two").trained == ("second",)
    assert plan.task("terms").data == "terms"


def test_the_adapters_that_a_phase_trains_are_those_it_makes_or_continues(desk, recipe):
    text = recipe.replace(
        "            first, merge\n            second, merge\n", "            second, continue\n"
    )
    assert desk.plan(text).phase("three").trained == ("second", "third")
