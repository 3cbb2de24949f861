from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.syntax.nodes import plain

OWN = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", OWN, ids=lambda case: case["id"])
def test_the_notation_reads_as_its_cases_say(case: dict[str, Any], judge) -> None:
    assert judge(case) is None


def test_every_example_of_the_reference_is_read(read) -> None:
    page = files("pipeline_dsl.syntax").joinpath("README.md").read_text("utf-8")
    examples = re.findall(r"```sdn\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 6
    assert [read(example).diagnostics for example in examples] == [()] * len(examples)


def test_every_public_case_holds(shared_sdn: Path, judge) -> None:
    lines = (shared_sdn / "cases.jsonl").read_text("utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    assert {case["id"]: problem for case in cases if (problem := judge(case))} == {}


def test_no_real_file_loses_a_word(shared_sdn: Path, read, lost) -> None:
    problems = {}
    for path in sorted((shared_sdn / "corpus").glob("*.sdn")):
        parsed = read(path.read_text("utf-8"))
        if parsed.ok:
            problems[path.name] = lost(parsed.source.text, plain(parsed.root))
        else:
            assert all(d.span for d in parsed.diagnostics)
    assert {name: words for name, words in problems.items() if words} == {}


def test_most_real_files_are_read(shared_sdn: Path, read) -> None:
    """The five others are a list of pairs after a key, brace blocks, commas in text, YAML text and TOML."""
    paths = sorted((shared_sdn / "corpus").glob("*.sdn"))
    refused = [path.stem for path in paths if not read(path.read_text("utf-8")).ok]
    assert refused == ["012", "014", "017", "019", "026"]
