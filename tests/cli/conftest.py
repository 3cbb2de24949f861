from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Medrecipe = Callable[..., Result]


@pytest.fixture
def medrecipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Medrecipe:
    """Run a command line in this process, in an empty folder, as if its output went into a pipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDRECIPE_RUNS", raising=False)

    def run(*arguments: str) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments))
        return Result(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def process(tmp_path: Path) -> Medrecipe:
    """Run a command line in a process of its own."""

    def run(*arguments: str, **environment: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline_dsl.cli.main", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**os.environ, **environment},
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


FAKE = Path(__file__).parent / "fake_plugin.py"
RECIPE = """\
recipe: 연습
plugins = [./fake_plugin.py]
model: {use: fake}
adapters:
    first: {use: fake}
    second: {use: fake}
data:
    texts: {use: jsonl, path: texts.jsonl}
tasks |task, data, template, metric|
    fluency, texts, plain_text, perplexity
train: {use: fake}
phases:
    하나:
        task: fluency
        stack |adapter, role|
            first, train
        mix |data, template|
            texts, plain_text
    two:
        stack |adapter, role|
            first, merge
            second, train
        mix |data, template|
            texts, plain_text
profiles:
    tiny: {train: {max_steps: 4}}
    full: {}
"""


def write_recipe(folder: Path) -> Path:
    """Write a recipe of two phases on a plugin that trains nothing, quickly."""
    (folder / "fake_plugin.py").write_text(FAKE.read_text(encoding="utf-8"), encoding="utf-8")
    rows = ["The heart pumps blood.", "폐는 숨을 쉰다.", "Bones are hard."]
    (folder / "texts.jsonl").write_text("".join(f'{{"text": "{row}"}}\n' for row in rows), encoding="utf-8")
    path = folder / "r.sdn"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The recipe in the folder of a test."""
    return write_recipe(tmp_path)


@pytest.fixture(scope="module")
def shared_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe in a folder of a file of tests."""
    return write_recipe(tmp_path_factory.mktemp("shared"))
