from __future__ import annotations

import json

import pytest


def test_resolve_prints_the_recipe_with_everything_applied(medrecipe, recipe):
    text = medrecipe("resolve", "r.sdn", "--profile", "tiny", "--set", "seed=9").out
    data = json.loads(text)
    assert (data["seed"], data["train"]["max_steps"]) == (9, 4)
    assert "profiles" not in data
    assert json.loads(medrecipe("resolve", "r.sdn", "--json").out).keys() == {"schema_version", "recipe"}


def test_resolve_tells_every_place_that_set_a_value_the_winner_last(medrecipe, recipe):
    result = medrecipe(
        "resolve", "r.sdn", "--profile", "tiny", "--set", "train.max_steps=7", "--why", "train.max_steps"
    )
    lines = result.out.splitlines()
    assert lines[0] == "train.max_steps = 7"
    assert lines[1:] == ["  r.sdn:26:31: 4 (profile tiny)", "  --set: 7"]


def test_resolve_why_as_json(medrecipe, recipe):
    data = json.loads(medrecipe("resolve", "r.sdn", "--why", "train.use", "--json").out)
    assert (data["schema_version"], data["path"], data["value"]) == (1, "train.use", "fake")
    assert data["history"][0] == {
        "layer": "file", "name": "r.sdn", "path": "train.use", "value": "fake", "file": "r.sdn", "line": 11, "column": 14,
    }  # fmt: skip


def test_resolve_of_a_value_that_is_not_there_names_the_nearest(medrecipe, recipe):
    result = medrecipe("resolve", "r.sdn", "--why", "train.usse")
    assert result.code == 2
    assert "Did you mean 'train.use'?" in result.err


def test_resolve_tells_mistakes_on_stderr_and_still_resolves(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "sede: 7\n")
    result = medrecipe("resolve", "r.sdn")
    assert result.code == 2
    assert "error[MR201]" in result.err
    assert json.loads(result.out)["recipe"] == "연습"


def test_resolve_of_nothing_is_2(medrecipe):
    assert medrecipe("resolve", "nothing.sdn").code == 2


def test_sdn_to_json_prints_the_values(medrecipe, tmp_path):
    (tmp_path / "a.sdn").write_text(
        "이름: 값\nm |a, b|\n    1, x\nt: table{i64, i64}\n    1, 2\n", encoding="utf-8"
    )
    result = medrecipe("sdn", "to-json", "a.sdn")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {"이름": "값", "m": [{"a": 1, "b": "x"}], "t": [[1, 2]]}
    assert "값" in result.out


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: [1\n", 'a: "x\n'])
def test_sdn_to_json_prints_nothing_of_a_text_with_errors(medrecipe, tmp_path, text):
    (tmp_path / "a.sdn").write_text(text)
    result = medrecipe("sdn", "to-json", "a.sdn")
    assert (result.code, result.out) == (2, "")
    assert "a.sdn:" in result.err


def test_sdn_to_json_of_nothing_is_2(medrecipe):
    assert medrecipe("sdn", "to-json", "nothing.sdn").code == 2


def test_plugins_are_listed_with_what_they_offer(medrecipe):
    result = medrecipe("plugins", "list")
    assert result.code == 0
    assert "adapter" in result.out
    assert "lora" in result.out
    only = medrecipe("plugins", "list", "--kind", "metric").out
    assert "lora" not in only
    assert "perplexity" in only


def test_plugins_as_json(medrecipe):
    data = json.loads(medrecipe("plugins", "list", "--json").out)
    assert data["schema_version"] == 1
    assert {"kind", "name", "plugin", "summary", "version"} == set(data["providers"][0])
    assert {"name", "module", "distribution", "version", "problem"} == set(data["plugins"][0])


def test_a_plugin_that_cannot_be_loaded_is_listed_with_its_reason(medrecipe, tmp_path):
    (tmp_path / "broken.py").write_text("raise RuntimeError('no luck')\n")
    result = medrecipe("plugins", "list", "--plugin", "broken.py")
    assert result.code == 0
    assert "the plugin broken (broken.py) could not be loaded: RuntimeError: no luck" in result.err


@pytest.mark.parametrize("name", ["lora", "adapter.lora", "lora/lora"])
def test_a_provider_is_shown_with_its_options(medrecipe, name):
    result = medrecipe("plugins", "show", name)
    assert result.code == 0
    assert result.out.startswith("adapter lora: ")
    assert "use_rslora" in result.out


def test_a_provider_as_json_has_its_schema(medrecipe):
    data = json.loads(medrecipe("plugins", "show", "lora", "--json").out)
    assert data["providers"][0]["options"]["properties"]["r"]["minimum"] == 1


def test_a_misspelt_provider_is_answered_with_the_nearest(medrecipe):
    assert "Did you mean 'perplexity'?" in medrecipe("plugins", "show", "perplexitty").err
