from __future__ import annotations

from pathlib import Path

from pipeline_dsl.cli.opening import opening
from pipeline_dsl.cli.prepare import Choices, prepare
from pipeline_dsl.cli.terminal import Paint

RECIPES = Path(__file__).parent.parent.parent / "recipes"


def opened(path: Path, **choices: str) -> tuple[str, ...]:
    chosen = Choices(**choices)
    prepared = prepare(str(path), chosen)
    return opening(str(path), prepared.plan, prepared.loaded.recipe, chosen, Paint(enabled=False))


def test_the_tour_says_that_its_model_is_small_and_how_to_have_the_real_one():
    assert opened(RECIPES / "medgemma_korean.sdn") == (
        "profile tiny (the default): a small embedded gemma3 model, for tests and tours",
        "for a real one: --profile 4b   (google/medgemma-4b-it)",
        "                --profile 27b  (google/medgemma-27b-text-it)",
    )


def test_who_chose_a_profile_knows(tmp_path):
    assert opened(RECIPES / "medgemma_korean.sdn", profile="tiny") == ()


def test_a_recipe_without_profiles_opens_with_nothing(recipe, monkeypatch):
    monkeypatch.chdir(recipe.parent)
    assert opened(Path("r.sdn")) == ()


def test_another_embedded_profile_is_no_real_one(recipe, monkeypatch):
    monkeypatch.chdir(recipe.parent)
    text = (
        recipe.read_text()
        .replace("plugins = [./fake_plugin.py]\n", "")
        .replace("{use: fake}", "{use: embedded}")
    )
    text = text.replace("first: {use: embedded}", "first: {use: lora}").replace(
        "second: {use: embedded}", "second: {use: lora}"
    )
    text = text.replace("train: {use: embedded}\n", "").replace("full: {}", "full: {model: {layers: 8}}")
    recipe.write_text(f"{text}default_profile: tiny\n")
    assert opened(Path("r.sdn")) == (
        "profile tiny (the default): a small embedded gemma3 model, for tests and tours",
    )


def test_a_real_default_names_its_model_and_the_others(recipe, monkeypatch):
    monkeypatch.chdir(recipe.parent)
    text = recipe.read_text().replace(
        "model: {use: fake}", "model: {use: causal_lm, name: google/medgemma-4b-it}"
    )
    recipe.write_text(
        f"{text.replace('full: {}', 'full: {model: {name: other/model}}')}default_profile: tiny\n"
    )
    assert opened(Path("r.sdn")) == (
        "profile tiny (the default): google/medgemma-4b-it",
        "others: --profile full  (other/model)",
    )
