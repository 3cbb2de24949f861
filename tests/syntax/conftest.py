"""What the tests of the notation share: how a case is judged."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.parser import Parsed, parse

Case = dict[str, Any]


def _same(one: object, other: object) -> bool:
    """Equality that tells 1 from 1.0 and from true, and sees the order of keys."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other and isinstance(one, float) == isinstance(other, float)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def _lost(source: str, value: object) -> list[str]:
    """The words of a text, outside its comments, that its value does not hold."""
    lines = source.splitlines()
    bare = "\n".join(line if '"' in line else re.sub(r"(^|\s)#.*$", "", line) for line in lines)
    have = " ".join(_words(json.dumps(value, ensure_ascii=False))).lower()
    return [
        word
        for word in _words(bare)
        if word.lower() not in have
        and word not in ("nil", "table", "_")
        and not re.fullmatch(r"[0-9eE]+", word)
    ]


def _read(text: str) -> Parsed:
    return parse(Source.of("recipe.sdn", text))


def _judge(case: Case) -> str | None:
    """What is wrong with how a case is read, or None."""
    parsed = _read(case["source"])
    if not parsed.ok:
        placed = all(d.span and d.span.line >= 1 and d.span.column >= 1 for d in parsed.diagnostics)
        return "refused" if case["expect"] == "value" else None if placed else "no place"
    value = plain(parsed.root)
    if case["expect"] == "error":
        return f"accepted as {value}"
    if case["expect"] == "value":
        return None if _same(value, case["value"]) else f"read as {value}"
    lost = _lost(case["source"], value)
    return f"lost {lost}" if lost else None


@pytest.fixture
def same() -> Callable[[object, object], bool]:
    return _same


@pytest.fixture
def lost() -> Callable[[str, object], list[str]]:
    return _lost


@pytest.fixture
def judge() -> Callable[[Case], str | None]:
    return _judge


@pytest.fixture(scope="session")
def read() -> Callable[[str], Parsed]:
    return _read


@pytest.fixture(scope="session")
def shared_sdn() -> Path:
    """The public conformance material beside the repository; the test skips where it is not there."""
    folder = Path(__file__).parents[3] / "shared" / "sdn"
    if not folder.is_dir():
        pytest.skip(f"no conformance material at {folder}")
    return folder


@pytest.fixture(scope="session")
def document() -> Callable[[Random], str]:
    """Makes a text with every construct of the notation out of chance."""
    return runpy.run_path(str(Path(__file__).with_name("documents.py")))["document"]
