"""Fault 78: names that would lead out of a folder, or could not be one."""

from __future__ import annotations

import pytest

WRONG = {
    "../x": "begins or ends with a dot",
    "/x": "it holds `/`",
    "a/b": "it holds `/`",
    "a/../../b": "it holds `/`",
    "a\\\\b": "it holds `\\`",
    "..": "begins or ends with a dot",
    ".": "begins or ends with a dot",
    "x.": "begins or ends with a dot",
    ".x": "begins or ends with a dot",
    "a\x01b": "it holds U+0001",
    "a\\nb": "it holds U+000A",
    "a\x7fb": "it holds U+007F",
    "a\x85b": "it holds U+0085",
    "a\u2028b": "it holds U+2028 LINE SEPARATOR",
    "a\u200bb": "it holds U+200B ZERO WIDTH SPACE",
    "a b": "it holds a space",
    "x" * 101: "longer than 100 bytes",
    "가" * 34: "longer than 100 bytes",
    "~": "it holds `~`",
    "C:x": "it holds `:`",
}


@pytest.mark.parametrize(("name", "why"), WRONG.items(), ids=[ascii(name)[:20] for name in WRONG])
def test_fault_78_a_project_or_recipe_whose_name_is_no_folder_s_is_refused(bench, recipe, name, why):
    bench.refuses(f'{recipe}project: "{name}"\n', code="MR204", says=why, at="r.sdn:25:10")
    text = recipe.replace("recipe: sample", f'recipe: "{name}"')
    found = bench.refuses(text, code="MR204", says=why, at="r.sdn:1:9")
    assert "letters of any script" in found["help"]
    outcome = bench.run("run", "r.sdn")
    assert outcome.code == 2
    assert {path.name for path in bench.folder.iterdir()} == {"r.sdn", "texts.jsonl"}
    assert not (bench.folder.parent / "x").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "x.", "a\x01b"])
def test_fault_78_a_name_from_the_command_line_is_held_to_the_same(bench, recipe, name):
    found = bench.refuses(recipe, "--set", f'project="{name}"', code="MR204")
    assert found["file"] == "--set"


def test_fault_78_a_name_with_nul_is_refused(bench, recipe):
    bench.refuses(recipe + 'project: "a\0b"\n', code="MR103", says="NUL", at="r.sdn:25:12")
    bench.refuses(recipe, "--set", "project=a\0b", code="MR103", says="NUL")


def test_fault_78_the_name_of_the_file_is_held_to_the_same_where_it_names_the_recipe(bench, recipe):
    bench.write("texts.jsonl", '{"text": "one"}\n')
    bench.write("a b.sdn", recipe.replace("recipe: sample\n", ""))
    outcome = bench.run("check", "a b.sdn")
    assert outcome.code == 2
    assert "error[MR204]: a recipe cannot be called `a b`: it holds a space" in outcome.err


@pytest.mark.parametrize("key", ["phases", "adapters", "data", "templates", "profiles"])
def test_fault_78_every_other_name_that_becomes_a_folder_or_file_is_held_to_it(bench, recipe, key):
    blocks = {
        "phases": recipe.replace("    two:", '    "../x":'),
        "adapters": recipe.replace("second", '"../x"'),
        "data": recipe.replace("texts: {", '"../x": {').replace(" texts,", ' "../x",'),
        "templates": recipe + 'templates: {"../x": {use: plain_text}}\n',
        "profiles": recipe + 'profiles: {"../x": {seed: 1}}\n',
    }
    outcome = bench.check(blocks[key])
    assert outcome.code == (0 if key == "profiles" else 2)
    assert ("MR204" in outcome.out) is (key != "profiles")


RUNS = ["../x", "/x", "../../etc", "a\0b", "a\x01b", "x.", ".", "..", "", "*", "p/../../out", "x" * 5000]


@pytest.mark.parametrize("name", RUNS, ids=[ascii(name)[:20] for name in RUNS])
def test_fault_78_a_run_of_such_a_name_is_not_found_and_nothing_outside_is_looked_at(bench, name):
    for folder in ("out", "runs/p/20260101-000000-aaaa"):
        bench.write(f"{folder}/metadata.sdn", "status: finished\n")
        bench.write(f"{folder}/plan.json", "{}")
    for words in (["runs", "show", name], ["run", "--resume", name], ["eval", name]):
        outcome = bench.run(*words)
        assert outcome.code == 2
        assert "error[MR260]: there is no run" in outcome.err
        assert "help: " in outcome.err
        assert not {"\x00", "\x01"} & set(outcome.both)


@pytest.mark.parametrize("name", ["../x", "/x", "x.", "two\x01"])
def test_fault_78_a_phase_of_such_a_name_is_not_found(bench, recipe, name):
    bench.accepts(recipe)
    for option in ("--phase", "--from"):
        outcome = bench.run("run", "r.sdn", option, name)
        assert outcome.code == 2
        assert "the phases are one, two" in outcome.err
