"""Runs every example of the language's reference: what it shows is read, and what it shows as wrong is refused."""

from __future__ import annotations

import contextlib
import io
import json
import re
from importlib.resources import files
from pathlib import Path

import click
import pytest

from pipeline_dsl.cli.main import cli, main
from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax.formatting import formatted
from pipeline_dsl.syntax.parser import parse

REFERENCE = files("pipeline_dsl.syntax").joinpath("README.md").read_text("utf-8")
EXAMPLE = re.compile(r"^```sdn( error)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOTATION, MEANING = (EXAMPLE.findall(part) for part in REFERENCE.split("\n## Meaning\n"))
WHOLE = next(text for _, text in MEANING if "\nphases:" in text and "recipe:" in text)
ROWS = {
    "data/sentences.jsonl": {"text": "폐는 숨을 쉰다."},
    "data/dictionary.jsonl": {"english": "lung", "korean": "폐"},
}


def first_line(example: tuple[str, str]) -> str:
    return example[1].partition("\n")[0]


@pytest.mark.parametrize("example", NOTATION, ids=first_line)
def test_an_example_of_the_notation_is_read_or_refused_as_it_says(example):
    wrong, text = example
    assert parse(Source.of("example", text)).ok is not bool(wrong)


@pytest.mark.parametrize("example", MEANING, ids=first_line)
def test_an_example_of_a_recipe_is_fine_or_refused_as_it_says(example, tmp_path, monkeypatch):
    """One that is no whole recipe is laid over the one that is."""
    wrong, text = example
    whole = text == WHOLE
    texts = {"whole.sdn": WHOLE, "example.sdn": text if whole else f"extends: whole.sdn\n{text}"}
    texts |= {name: json.dumps(row, ensure_ascii=False) + "\n" for name, row in ROWS.items()}
    for name, content in texts.items():
        path = Path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["check", "example.sdn", "--format", "json"])
    found = json.loads(out.getvalue())["diagnostics"]
    if wrong:
        assert code == 2
        assert {finding["file"] for finding in found} == {"example.sdn"}
    else:
        assert (code, found) == (0, [])


def test_what_the_normal_form_is_said_to_be_it_is():
    section = REFERENCE.partition("\n### The normal form\n")[2].partition("\n### ")[0]
    (_, untidy), (_, tidy) = EXAMPLE.findall(section)
    assert formatted(parse(Source.of("example", untidy))) == tidy != untidy


def test_every_fenced_block_is_an_example_that_is_run():
    fences = re.findall(r"^```(.*)\n", REFERENCE, re.MULTILINE)
    assert fences[1::2] == [""] * (len(fences) // 2)
    assert set(fences[::2]) == {"sdn", "sdn error"}
    assert len(fences) // 2 == len(NOTATION) + len(MEANING)


COMMANDS = sorted(set(re.findall(r"`medrecipe ([^`]+)`", REFERENCE)))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_is_named_exists_with_its_options(line):
    group, words = cli, line.split()
    while isinstance(group, click.Group):
        command = group.get_command(click.Context(group), words.pop(0))
        assert command is not None
        group = command
    options = {option for parameter in group.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    needed = [p for p in group.params if isinstance(p, click.Argument) and p.required]
    given = [word for word in words if word[0].isupper() or word[0] == "-"]
    assert not given or len(given) >= len(needed)


def test_commands_are_named():
    assert {"fmt FILE...", "sdn get FILE PATH", "sdn set FILE PATH VALUE"} <= set(COMMANDS)


def test_each_profile_of_the_whole_example_is_fine(tmp_path, monkeypatch):
    for name, row in ROWS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(row) + "\n")
    (tmp_path / "example.sdn").write_text(WHOLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["check", "example.sdn", "--profile", "tiny"]) == 0


KEYED = re.findall(r"^\| `[^|]*\|[^|]*\|[^|]*\| `([a-z_]+(?::| =) [^`]*)` \|$", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("text", KEYED)
def test_an_example_in_a_table_of_keys_is_read(text):
    assert parse(Source.of("example", text)).ok


def test_there_are_right_and_wrong_examples_of_both_parts():
    assert len(NOTATION) > 5
    assert len(MEANING) > 10
    assert len(KEYED) > 15
    assert {bool(wrong) for wrong, _ in MEANING} == {True, False}


def test_every_key_word_and_event_is_in_the_reference():
    from pipeline_dsl.api.events import EVENTS
    from pipeline_dsl.api.providers import DATA_WORDS
    from pipeline_dsl.plan.hooks import ALWAYS
    from pipeline_dsl.recipe.bind import TASK_COLUMNS, TOP_KEYS
    from pipeline_dsl.recipe.contracts import OTHERWISE, RETAIN_COLUMNS
    from pipeline_dsl.recipe.data import PII
    from pipeline_dsl.recipe.model import PARTS
    from pipeline_dsl.recipe.phases import HOOK_COLUMNS, MIX_COLUMNS, PHASE_KEYS, ROLES, STACK_COLUMNS
    from pipeline_dsl.recipe.stages import STAGE_COLUMNS

    meaning = REFERENCE.split("\n## Meaning\n")[1]
    tables = (TOP_KEYS, PHASE_KEYS, TASK_COLUMNS, STACK_COLUMNS, MIX_COLUMNS, RETAIN_COLUMNS, HOOK_COLUMNS)
    words = {
        word
        for table in (*tables, STAGE_COLUMNS, OTHERWISE, ROLES, ALWAYS, DATA_WORDS, PII, PARTS)
        for word in table
    }
    quoted = set(re.findall(r"`([a-z_]+)`", meaning))
    assert words - quoted == set()
    assert {event.name for event in EVENTS} <= set(re.findall(r"[a-z_]+", meaning))
