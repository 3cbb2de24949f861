from __future__ import annotations

import json
from pathlib import Path

import pytest

RECIPES = sorted((Path(__file__).parent.parent.parent / "recipes").glob("*.sdn"))


def test_a_clean_recipe_is_fine(medrecipe, recipe):
    result = medrecipe("check", "r.sdn", "--profile", "tiny")
    assert (result.code, result.err) == (0, "")
    assert result.out == "r.sdn: fine (profile tiny, 2 phases, 1 task)\n"


def test_several_recipes_are_checked_at_once(medrecipe, recipe, tmp_path):
    (tmp_path / "wrong.sdn").write_text("extends: r.sdn\nsede: 7\n")
    result = medrecipe("check", "r.sdn", "wrong.sdn")
    assert result.code == 2
    assert result.out == "r.sdn: fine (2 phases, 1 task)\n"
    assert "wrong.sdn:2:1" in result.err


def test_findings_are_told_on_stderr_and_data_on_stdout(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "sede: 7\n")
    text, concise, data = (
        medrecipe("check", "r.sdn", "--format", form) for form in ("text", "concise", "json")
    )
    assert text.code == concise.code == data.code == 2
    assert text.out == ""
    assert concise.out.startswith("r.sdn:28:1: error[MR201]: ")
    assert json.loads(data.out)["diagnostics"][0]["line"] == 28
    assert data.err == ""


def test_a_clean_recipe_as_json_has_no_findings(medrecipe, recipe):
    assert json.loads(medrecipe("check", "r.sdn", "--format", "json").out) == {
        "schema_version": 1,
        "diagnostics": [],
    }


def test_findings_stand_in_the_order_of_the_text(medrecipe, recipe):
    text = recipe.read_text().replace("{use: fake}", "{use: fakke}").replace("perplexity", "perplexitty")
    recipe.write_text("sede: 7\n" + text)
    found = json.loads(medrecipe("check", "r.sdn", "--format", "json").out)["diagnostics"]
    lines = [d["line"] for d in found]
    assert lines == sorted(lines)
    assert len(set(lines)) > 4


def test_case_67_without_plugins_the_missing_names_are_said(medrecipe, recipe):
    result = medrecipe("check", "r.sdn", "--no-plugins")
    assert result.code == 2
    assert "no plugin offers the metric `perplexity`" in result.err


def test_a_plugin_may_be_given_on_the_command_line(medrecipe, recipe):
    recipe.write_text(recipe.read_text().replace("plugins = [./fake_plugin.py]\n", ""))
    assert medrecipe("check", "r.sdn").code == 2
    assert medrecipe("check", "r.sdn", "--plugin", "fake_plugin.py").code == 0


def test_case_66_a_broken_plugin_is_named_and_the_others_work(medrecipe, recipe, tmp_path):
    (tmp_path / "fake_plugin.py").write_text("1 / 0\n")
    result = medrecipe("check", "r.sdn")
    assert result.code == 5
    assert "the plugin `fake_plugin` could not be loaded: ZeroDivisionError: division by zero" in result.err
    assert result.err.count("error[") == 1


def test_missing_data_is_3_and_says_where_it_is_named(medrecipe, recipe, tmp_path):
    (tmp_path / "texts.jsonl").unlink()
    result = medrecipe("check", "r.sdn")
    assert result.code == 3
    assert "r.sdn:8:" in result.err


def test_a_recipe_may_come_from_standard_input(process, recipe, tmp_path, medrecipe):
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "pipeline_dsl.cli.main", "check", "-"],
        input=recipe.read_text(encoding="utf-8"), text=True, encoding="utf-8", capture_output=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "-: fine (2 phases, 1 task)\n")


@pytest.mark.parametrize("name", ["nothing.sdn", "."])
def test_what_cannot_be_read_is_2(medrecipe, name):
    result = medrecipe("check", name)
    assert result.code == 2
    assert "error[MR101]" in result.err


def test_case_16_a_secret_is_never_shown(medrecipe, recipe):
    secret = "hf_" + "abcdefghijklmnop0123"
    recipe.write_text(recipe.read_text() + f"description: {secret} and\nsede: {secret}\n")
    for form in ("text", "concise", "json"):
        result = medrecipe("check", "r.sdn", "--format", form)
        assert result.code == 2
        assert secret not in result.out + result.err


def test_an_environment_value_is_never_shown(medrecipe, recipe, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "geheim-12345")
    recipe.write_text(
        recipe.read_text() + 'environment: [MY_TOKEN]\ndescription: "${env:MY_TOKEN}"\ndevice: [1]\n'
    )
    for words in (["check", "r.sdn"], ["resolve", "r.sdn"], ["resolve", "r.sdn", "--why", "description"]):
        result = medrecipe(*words)
        assert "geheim" not in result.out + result.err


def test_terminal_escapes_of_a_recipe_are_not_obeyed(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "description: a\x1b[31mred\n")
    assert "\x1b" not in medrecipe("check", "r.sdn").err


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_that_we_ship_are_fine_or_only_a_base(medrecipe, path):
    result = medrecipe("check", str(path))
    assert result.code == 0 or "has no phase" in result.err


PHASES = "phases:"


def split_in_two(recipe: Path) -> None:
    """Move what stands before the phases into a file that the recipe extends."""
    before, phases = recipe.read_text(encoding="utf-8").split(PHASES)
    recipe.with_name("base.sdn").write_text(before, encoding="utf-8")
    recipe.write_text(f"extends: base.sdn\n{PHASES}{phases}", encoding="utf-8")


def test_a_recipe_without_phases_is_fine_beside_one_that_extends_it(medrecipe, recipe):
    split_in_two(recipe)
    result = medrecipe("check", "base.sdn", "r.sdn")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == "base.sdn: fine (a part of r.sdn)"
    alone = medrecipe("check", "base.sdn")
    assert (alone.code, "MR400" in alone.err) == (2, True)


def test_a_mistake_in_a_shared_part_is_told_once(medrecipe, recipe):
    split_in_two(recipe)
    base = recipe.with_name("base.sdn")
    base.write_text(base.read_text(encoding="utf-8") + "sede: 7\n", encoding="utf-8")
    result = medrecipe("check", "base.sdn", "r.sdn", "--format", "concise")
    assert result.code == 2
    assert [line.partition(" ")[2][:13] for line in result.out.splitlines()] == ["error[MR201]:"]
