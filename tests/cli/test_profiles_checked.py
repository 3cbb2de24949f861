"""What ``check`` says of profiles that are not the chosen one."""

from __future__ import annotations

import json


def found(medrecipe, *words: str) -> list[tuple[str, int]]:
    told = json.loads(medrecipe("check", "r.sdn", *words, "--format", "json").out)["diagnostics"]
    return [(d["code"], d["line"]) for d in told]


def test_a_mistake_in_a_profile_that_is_not_chosen_is_found(medrecipe, recipe):
    recipe.write_text(
        recipe.read_text().replace(
            "full: {}", "full: {train: {max_step: 4}, adapters: {first: {use: fakke}}}"
        )
    )
    assert found(medrecipe) == [("MR303", 27), ("MR301", 27)]
    assert "under the profile `full`" in medrecipe("check", "r.sdn").err
    assert found(medrecipe, "--profile", "tiny") == []


def test_what_a_profile_hides_is_found(medrecipe, recipe):
    text = recipe.read_text().replace("train: {use: fake}", "train: {use: fake, max_steps: many}")
    recipe.write_text(text + "default_profile: tiny\n")
    assert found(medrecipe) == [("MR304", 11)]


def test_a_mistake_of_all_profiles_is_told_once(medrecipe, recipe):
    recipe.write_text(recipe.read_text().replace("train: {use: fake}", "train: {use: fakke}"))
    assert found(medrecipe) == [("MR301", 11)]


def test_data_of_another_profile_may_be_on_another_machine(medrecipe, recipe):
    recipe.write_text(
        recipe.read_text().replace("full: {}", "full: {data: {texts: {path: elsewhere.jsonl}}}")
    )
    assert found(medrecipe) == []
    assert found(medrecipe, "--profile", "full") == [("MR501", 27)]


def test_a_run_minds_its_own_profile_alone(medrecipe, recipe):
    recipe.write_text(recipe.read_text().replace("full: {}", "full: {train: {max_step: 4}}"))
    assert medrecipe("plan", "r.sdn", "--profile", "tiny").code == 0
    assert medrecipe("check", "r.sdn").code == 2
