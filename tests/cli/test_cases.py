"""Runs the pages under ``tests/cases``: files, commands and exactly what the commands print."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

CASES = sorted((Path(__file__).parent.parent / "cases").rglob("*.md"))
FILE = re.compile(r"^````?(\w+) (\S+)\n(.*?)^````?$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", CASES, ids=lambda page: page.stem)
def test_a_page_shows_what_is_printed(page: Path, tmp_path, monkeypatch, regenerate):
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for _, name, content in FILE.findall(text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    found = CONSOLE.sub(lambda block: f"```console\n{transcript(block[1])}```", text)
    if regenerate:
        page.write_text(found, encoding="utf-8")
    assert found == text or regenerate


def transcript(block: str) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{printed(command)}" for command in commands)


def printed(command: str) -> str:
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "medrecipe"
    both = io.StringIO()
    with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
        code = main(arguments)
    text = both.getvalue().replace(str(Path.cwd()), "FOLDER")
    return text + (f"[exit code {code}]\n" if code else "")
