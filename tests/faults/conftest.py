"""One bench for all faults: files, the real command line, and what every refusal has to say."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.cli.main import main

RECIPE = """\
recipe: sample
model: {use: embedded}
adapters:
    first: {use: lora, r: 8}
    second: {use: lora, r: 8}
data:
    texts: {use: jsonl, path: texts.jsonl}
tasks |task, data, template, metric|
    fluency, texts, plain_text, perplexity
train: {epochs: 1}
phases:
    one:
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            texts, plain_text, 1
    two:
        stack |adapter, role|
            first, merge
            second, train
        mix |data, template, weight|
            texts, plain_text, 1
        retain |task, keep, rise, otherwise|
            fluency, null, 0.9, warn
"""
ROW = '{"text": "The heart pumps blood."}\n'
LINE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?:error|warning)\[(?P<code>MR\d{3})\]: .+")


BUSY = 5
"""How many times as many CPU seconds a machine takes that does much else; bounds are for one that does not."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, what it wrote and the CPU seconds that it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def idle_seconds(self) -> float:
        """What it would have taken at least, had the machine nothing else to do."""
        return self.seconds / BUSY

    @property
    def both(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Bench:
    """A folder with a recipe's files, in which commands are run."""

    folder: Path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, *arguments: str) -> Outcome:
        """Run a command line in this process; whatever happens, it ends in words."""
        out, err = io.StringIO(), io.StringIO()
        start = time.process_time()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments))
        outcome = Outcome(code, out.getvalue(), err.getvalue(), time.process_time() - start)
        for sign in ("Traceback", "internal error", 'File "'):
            assert sign not in outcome.both, outcome.both
        return outcome

    def process(self, *arguments: str, **environment: str) -> Outcome:
        """Run a command line in a process of its own."""
        start = time.process_time()
        done = subprocess.run(
            [sys.executable, "-m", "pipeline_dsl.cli.main", *arguments],
            capture_output=True, text=True, encoding="utf-8", cwd=self.folder,
            env={**os.environ, **environment}, check=False, timeout=60,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr, time.process_time() - start)

    def check(
        self, text: str | bytes, *arguments: str, files: Mapping[str, str | bytes] | None = None
    ) -> Outcome:
        """Write a recipe and the files beside it and check it, findings as JSON."""
        for name, content in {"texts.jsonl": ROW, **(files or {}), "r.sdn": text}.items():
            self.write(name, content)
        return self.run("check", "r.sdn", "--format", "json", *arguments)

    def accepts(self, text: str | bytes, *arguments: str, **more: Any) -> None:
        outcome = self.check(text, *arguments, **more)
        assert (outcome.code, findings(outcome)) == (0, [])

    def refuses(
        self,
        text: str | bytes,
        *arguments: str,
        code: str,
        says: str = "",
        at: str | None = None,
        exit_code: int = 2,
        within: float | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Check a recipe that has one fault; hold everything against what is promised of all faults.

        Args:
            text: the recipe.
            arguments: further ones of ``check``.
            code: of the one error.
            says: a part of its message.
            at: its ``file:line:column``.
            exit_code: of the command.
            within: CPU seconds that the first check may take.
            more: ``files`` beside the recipe.

        Returns:
            The finding as JSON.
        """
        first = self.check(text, *arguments, **more)
        assert first.code == exit_code, first.both
        assert within is None or first.idle_seconds < within
        (finding,) = findings(first)
        assert finding["code"] == code, finding
        assert says in finding["message"], finding
        assert "\n" not in finding["message"]
        assert finding["help"] or "must be" in finding["message"], "no hint"
        place = f"{finding['file']}:{finding['line']}:{finding['column']}"
        assert at is None or place == at
        concise = self.run("check", "r.sdn", "--format", "concise", *arguments)
        (line,) = concise.out.splitlines()
        assert (concise.code, concise.err) == (exit_code, "")
        assert LINE.fullmatch(line)["code"] == code
        assert line.startswith(f"{place}: ")
        told = self.run("check", "r.sdn", *arguments)
        assert (told.code, told.out) == (exit_code, "")
        assert f"error[{code}]: " in told.err
        assert f"--> {place}" in told.err
        return finding


def findings(outcome: Outcome) -> list[dict[str, Any]]:
    """The errors that a check reported as JSON."""
    found: list[dict[str, Any]] = json.loads(outcome.out)["diagnostics"]
    return [finding for finding in found if finding["severity"] == "error"]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDRECIPE_RUNS", raising=False)
    return Bench(tmp_path)


@pytest.fixture
def recipe() -> str:
    """A recipe of two phases in which nothing is wrong."""
    return RECIPE
