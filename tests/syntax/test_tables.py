"""The stored tables of the grammar are those of the grammar, and count for no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax import grammar, tables
from pipeline_dsl.syntax.parser import parse

TEXT = grammar.TEXT.read_text(encoding="utf-8")


@pytest.fixture
def stored(tmp_path, monkeypatch) -> Path:
    """A copy of the stored tables, which is read in their place."""
    path = tmp_path / "tables.json"
    path.write_bytes(tables.PATH.read_bytes())
    monkeypatch.setattr(tables, "PATH", path)
    return path


def load(text: str = TEXT):
    return tables.load(text, grammar._NoLexer)


def test_the_stored_tables_are_what_the_command_would_write():
    """After a change of ``recipe.lark`` or of Lark: ``python -m pipeline_dsl.syntax.tables``."""
    assert tables.PATH.read_text(encoding="utf-8") == tables.dump(grammar.build(), TEXT)


def test_the_command_writes_the_same_in_a_process_of_its_own(tmp_path):
    path = str(tmp_path / "tables.json")
    program = (
        "import runpy, pathlib, sys; real = pathlib.Path.with_name; "
        "pathlib.Path.with_name = lambda self, name: "
        f"pathlib.Path({path!r}) if name == 'tables.json' else real(self, name); "
        "runpy.run_module('pipeline_dsl.syntax.tables', run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONHASHSEED": "7"})
    assert Path(path).read_text(encoding="utf-8") == tables.PATH.read_text(encoding="utf-8")


def test_the_stored_tables_are_used(stored):
    assert load() is not None


@pytest.mark.parametrize("change", ["\n", "\nodd: KEY KEY\n", " "])
def test_tables_of_another_grammar_are_ignored(stored, change):
    assert load(TEXT + change) is None


def test_tables_of_another_lark_are_ignored(stored):
    content = json.loads(stored.read_text(encoding="utf-8"))
    content["made_from"]["lark"] = "0.0.1"
    stored.write_text(json.dumps(content), encoding="utf-8")
    assert load() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"made_from": {}}', "\0"])
def test_tables_that_are_no_tables_are_ignored(stored, content):
    stored.write_text(content, encoding="utf-8")
    assert load() is None


def test_tables_that_are_not_there_are_built(stored):
    stored.unlink()
    assert load() is None
    text = "a:\n  - b: [1, {c: x}]\nt |d, e|\n  1, 2\n"
    grammar.grammar.cache_clear()
    try:
        built = parse(Source.of("x", text))
    finally:
        grammar.grammar.cache_clear()
    assert built.ok


def test_a_parser_from_the_tables_reads_what_a_built_one_reads(stored):
    texts = [
        "a: 1\n",
        "a: [1, {b: 2}]\nt |x|\n 1\n 2\n",
        "a: {\n",
        "- a\n- b: c\n",
        "m: table{i32} = [(1), (2)]\n",
        "a b\n",
    ]
    read = []
    for path in (stored, stored.with_name("none.json")):
        tables.PATH = path
        grammar.grammar.cache_clear()
        read.append([(p.root, p.diagnostics) for p in (parse(Source.of("x", text)) for text in texts)])
    grammar.grammar.cache_clear()
    assert read[0] == read[1]
