from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from pipeline_dsl.language_server.textmate import grammar, grammar_text
from pipeline_dsl.recipe.bind import TOP_KEYS
from pipeline_dsl.syntax.words import KEYWORDS

EDITORS = Path(str(files("pipeline_dsl"))) / "editors"
SYNTAX = EDITORS / "vscode" / "syntaxes" / "sdn.tmLanguage.json"
RULES = grammar()["repository"]


def test_the_grammar_is_fresh(regenerate):
    if regenerate:
        SYNTAX.write_text(grammar_text(), encoding="utf-8")
    assert SYNTAX.read_text(encoding="utf-8") == grammar_text()


def patterns(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key in {"match", "begin", "end"})
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from patterns(inner)


@pytest.mark.parametrize("pattern", sorted(set(patterns(grammar()))))
def test_its_patterns_are_expressions_that_python_reads_too(pattern):
    re.compile(pattern)
    assert not re.search(r"[+*?]\+", pattern)


def test_whatever_is_included_is_there():
    named = re.findall(r'"include": "#(\w+)"', grammar_text())
    assert set(named) <= set(RULES)


@pytest.mark.parametrize("word", TOP_KEYS)
def test_the_words_at_the_top_of_a_recipe_stand_out(word):
    assert re.match(RULES["top"]["match"], f"{word}: x")[1] == word
    assert not re.match(RULES["top"]["match"], f"    {word}: x")


@pytest.mark.parametrize("key", ["학습률", "learning_rate", "rank.q_proj", '"a b"', "4b"])
def test_keys_of_any_script_are_keys(key):
    assert re.match(RULES["entry"]["match"], f"    {key}: 1")[2] == key
    assert re.match(RULES["entry"]["match"], f"  - {key} = 1")[2] == key
    assert re.match(RULES["table"]["begin"], f"{key} |a, b|")[2] == key


@pytest.mark.parametrize("text", ["1", "-7", "1_000", "0.5", "2e-4", "2.5e+10"])
def test_numbers_are_numbers(text):
    for line in (f"a: {text}", f"a: {text}  # x", f"a = [{text}, 2]", f"a: {{b: {text}}}"):
        assert text in re.findall(RULES["number"]["match"], line)


@pytest.mark.parametrize("text", ["1.2.3", "3abc", "50%", "2026-04-12", "0x1F", "Blue 7"])
def test_what_only_begins_like_a_number_is_none(text):
    assert not re.findall(RULES["number"]["match"], f"a: {text}")


@pytest.mark.parametrize("word", KEYWORDS)
def test_keywords_are_keywords_when_alone(word):
    assert re.findall(RULES["keyword"]["match"], f"a: {word}") == [word]
    assert re.findall(RULES["keyword"]["match"], f"a: {word} story") == []


def test_a_hash_begins_a_comment_after_white_space_only():
    comment = RULES["comment"]["match"]
    assert re.search(comment, "a: b # c")[0] == "# c"
    assert re.search(comment, "a: b#c") is None


def test_the_extension_names_files_that_are_there():
    extension = json.loads((EDITORS / "vscode" / "package.json").read_text("utf-8"))
    told = [extension["main"], extension["contributes"]["languages"][0]["configuration"]]
    told += [one["path"] for one in extension["contributes"]["grammars"]]
    assert [name for name in told if not (EDITORS / "vscode" / name).is_file()] == []
    assert extension["contributes"]["grammars"][0]["scopeName"] == grammar()["scopeName"]


def test_the_extension_starts_the_command_that_there_is(tmp_path):
    code = (EDITORS / "vscode" / "extension.js").read_text("utf-8")
    assert '["lsp"]' in code
    assert "--local-plugins" in code


@pytest.mark.parametrize(
    "name", ["README.md", "vscode/README.md", "vscode/extension.js", "vscode/package.json"]
)
def test_all_of_it_is_in_the_package(name):
    assert files("pipeline_dsl").joinpath("editors", *name.split("/")).is_file()
