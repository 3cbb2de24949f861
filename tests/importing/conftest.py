from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Medrecipe = Callable[..., Result]


def run(*arguments: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the rows of axolotl's configs in ``data``."""
    shutil.copytree(CONFIGS / "axolotl" / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def imported(folder: Path) -> Callable[..., Result]:
    """Import a text that lies as ``config.yaml`` in the working directory."""

    def do(text: str, *arguments: str, name: str = "config.yaml") -> Result:
        (folder / name).write_text(text, encoding="utf-8")
        return run("import", name, *arguments)

    return do
