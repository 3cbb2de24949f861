from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from pipeline_dsl.cli.record_schema import record_schema
from pipeline_dsl.plan.model import Plan


def test_a_plan_says_what_each_phase_stands_on_trains_and_costs(medrecipe, recipe):
    result = medrecipe("plan", "r.sdn")
    assert result.code == 0
    assert result.out.splitlines() == [
        "연습 (r.sdn), seed 42, device auto",
        "base fake, fake",
        "",
        "phase  stands on             trains  parameters  from         samples  steps  tokens an epoch",
        "하나   base                  first           50  texts 100 %        3     20               21",
        "two    base + first (merge)  second          50  texts 100 %        3     20               21",
        "",
        "하나: will run: no finished run of it",
        "two: will run: no finished run of it",
    ]


def test_a_plan_says_what_will_be_reused(medrecipe, recipe):
    medrecipe("run", "r.sdn")
    assert "하나: reused from run" in medrecipe("plan", "r.sdn").out
    assert (
        "two: will run: its fingerprint changed"
        in medrecipe("plan", "r.sdn", "--set", "phases.two.seed=9").out
    )


def test_a_plan_as_json_fits_the_exported_schema(medrecipe, recipe):
    data = json.loads(medrecipe("plan", "r.sdn", "--json").out)
    assert data["schema_version"] == 1
    assert [(p["name"], p["will"]) for p in data["phases"]] == [("하나", "run"), ("two", "run")]
    Draft202012Validator(record_schema(Plan, "a plan")).validate(data["plan"])


def test_a_plan_of_a_wrong_recipe_is_not_printed(medrecipe, recipe):
    result = medrecipe("plan", "r.sdn", "--json", "--set", "seed=-1")
    assert (result.code, result.out) == (2, "")
    assert "error[MR331]" in result.err
