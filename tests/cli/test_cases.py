"""Runs the pages under ``tests/cases``: files, commands and exactly what the commands print.

Beside the files of a page lies ``fake_plugin.py``, whose model, adapter and trainer do nothing, quickly. What
differs from run to run (ids, times) is printed as if it did not.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

FAKE = Path(__file__).parent / "fake_plugin.py"
CASES = sorted((Path(__file__).parent.parent / "cases").rglob("*.md"))
FILE = re.compile(r"^````?(\w+) (\S+)\n(.*?)^````?$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHANGING = (
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "20260412-101530-3fa2"),
    (re.compile(r"\bstarted  \d+ \w{3} \d\d:\d\d\b"), "started  12 Apr 10:15"),
    (re.compile(r"  \d\.\d s left$", re.MULTILINE), ""),
    (re.compile(r"\b\d\.\d s\b"), "0.1 s"),
)


@pytest.mark.parametrize("page", CASES, ids=lambda page: page.stem)
def test_a_page_shows_what_is_printed(page: Path, tmp_path, monkeypatch, regenerate):
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDRECIPE_RUNS", raising=False)
    (tmp_path / FAKE.name).write_text(FAKE.read_text(encoding="utf-8"), encoding="utf-8")
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
    for changing, fixed in CHANGING:
        text = changing.sub(fixed, text)
    return text + (f"[exit code {code}]\n" if code else "")
