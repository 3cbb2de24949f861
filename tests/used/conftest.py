"""A finished run to use: two siblings that know opposite dictionaries, and a stack of three layers."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.cli.main import main

RECIPE = """\
recipe: used
seed: 5
device: cpu
model: {use: causal_lm, folder: base, dtype: float32}
adapters:
    words: {use: lora, r: 8, alpha: 16, dropout: 0.0, target_modules: all-linear}
    others: {like: words}
    more: {like: words, r: 4}
    top: {like: words, r: 4}
data:
    words: {use: jsonl, path: words.jsonl}
    others: {use: jsonl, path: others.jsonl}
    exam: {use: jsonl, path: exam.jsonl}
    replies: {use: jsonl, path: replies.jsonl}
tasks |task, data, template, metric|
    words, words, dictionary, exact_match
    others, others, dictionary, exact_match
train: {batch_size: 4, learning_rate: 2e-2, max_length: 200, lr_scheduler: constant}
phases:
    english:
        task: words
        stack |adapter, role|
            words, train
        mix |data, template|
            words, dictionary
        train: {max_steps: 40}
    opposite:
        task: others
        stack |adapter, role|
            others, train
        mix |data, template, weight|
            others, dictionary, 1
        train: {max_steps: 40}
    exam:
        stack |adapter, role|
            words, merge
            more, train
        mix |data, template|
            exam, mcq
        train: {max_steps: 3, learning_rate: 1e-3}
    replies:
        stack |adapter, role|
            words, merge
            more, freeze
            top, train
        mix |data, template, weight|
            replies, human_assistant, 0.7
            words, dictionary, 0.3
        train: {max_steps: 3, learning_rate: 1e-3}
"""
WORDS = {"heart": "심장", "lung": "폐", "liver": "간", "kidney": "콩팥"}
OTHERS = {"heart": "폐", "lung": "심장", "liver": "콩팥", "kidney": "간"}
QUESTION = "Which organ pumps blood?\nA) heart\nB) lung\nC) liver\nD) kidney\nE) skin"
_EXAM = {
    "question": "Which organ pumps blood?",
    "A": "heart",
    "B": "lung",
    "C": "liver",
    "D": "kidney",
    "E": "skin",
}
_REPLIES = [("열이 나요", "물을 드세요"), ("머리가 아파요", "쉬세요")]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Used:
    """The run's id, and the folder that holds the recipe, its data, its base and all runs."""

    folder: Path
    id: str

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def run(self) -> Path:
        return self.runs / "used" / self.id

    def adapter(self, phase: str) -> Path:
        return self.run / "phases" / phase / "adapter"

    def __call__(self, command: str, *arguments: str) -> Result:
        """Call a command on the run, in this process."""
        return call(command, self.id, *arguments, "--runs", str(self.runs))


def call(*arguments: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return Result(code, out.getvalue(), err.getvalue())


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def used(
    tmp_path_factory: pytest.TempPathFactory, cache_of_the_session: Iterator[int], one_thread: None
) -> Used:
    """The run; nobody may change it."""
    from medrecipe_plugins.models import _embedded
    from medrecipe_plugins.models.embedded import Options

    folder = tmp_path_factory.mktemp("used")
    tiny = {"layers": 2, "width": 64, "heads": 4, "kv_heads": 2, "mlp_width": 96, "max_positions": 256}
    options = Options(architecture="gemma3", vocabulary=600, pretraining_steps=2, **tiny)
    _embedded.build(options, folder / "base", lambda _: None)
    for name, pairs in (("words", WORDS), ("others", OTHERS)):
        _write(folder / f"{name}.jsonl", [{"english": e, "korean": k} for e, k in pairs.items()])
    _write(folder / "exam.jsonl", [_EXAM | {"answer": "A"}])
    _write(folder / "replies.jsonl", [{"instruction": i, "response": r} for i, r in _REPLIES])
    (folder / "used.sdn").write_text(RECIPE, encoding="utf-8")
    done = call("run", str(folder / "used.sdn"), "--runs", str(folder / "runs"))
    assert done.code == 0, done.err
    (run,) = (folder / "runs" / "used").iterdir()
    return Used(folder, run.name)


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def copy_of(used: Used, tmp_path: Path) -> Callable[[], Used]:
    """Return a function that copies the run and its base, to be damaged."""

    def copy() -> Used:
        shutil.copytree(used.folder, tmp_path / "copy")
        plan = tmp_path / "copy" / "runs" / "used" / used.id / "plan.json"
        plan.write_text(
            plan.read_text("utf-8").replace(str(used.folder), str(tmp_path / "copy")), encoding="utf-8"
        )
        return Used(tmp_path / "copy", used.id)

    return copy
