"""The n-th write of a run fails, or is the last thing that its process does: what is there is whole, and it goes on.

All writes of a run go through ``run/atomic.py``, whose calls of the system are counted here. A run of the toys
has some hundreds; a spread of them is tried, all with ``EVERY_WRITE=1``.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pipeline_dsl.api import MachineError, MedrecipeError
from pipeline_dsl.run import manifest, summary
from pipeline_dsl.run.phase import STANDING

TRIED = 9
PHASES = ("first", "second", "third")


class DiedError(BaseException):
    """The process is gone: nothing that it would do afterwards happens."""


class Disk:
    """Counts what is asked of the system, and lets it fail from a number on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.at: int | None = None
        self.dies = False
        for owner, name in ((os, "fsync"), (os, "write"), (Path, "replace"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, call):
        def counted(*args, **named):
            self.count += 1
            if self.at is not None and self.dies and self.count >= self.at:
                raise DiedError
            if self.count == self.at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*args, **named)

        return counted

    def break_at(self, number: int | None, *, dies: bool = False) -> None:
        self.count, self.at, self.dies = 0, number, dies


@pytest.fixture
def disk(monkeypatch) -> Disk:
    return Disk(monkeypatch)


def numbers(total: int) -> list[int]:
    if os.environ.get("EVERY_WRITE"):
        return list(range(1, total + 1))
    return sorted({1 + n * (total - 1) // (TRIED - 1) for n in range(TRIED)})


@pytest.fixture
def text(recipe) -> str:
    return recipe.replace("train: {use: loop}", "train: {use: loop, epochs: 1, save_steps: 2}")


def check(folder: Path, whole: dict[str, bytes]) -> None:
    """Whatever is called finished is whole, and no line that was acknowledged is lost."""
    for record in folder.glob("phases/*/phase.json"):
        if json.loads(record.read_text("utf-8"))["status"] in STANDING:
            adapter = record.parent / "adapter"
            manifest.read(adapter)
            assert (adapter / "adapter.json").read_bytes() == whole[record.parent.name]
    log = folder / "metrics.jsonl"
    if log.exists():
        lines = log.read_bytes().split(b"\n")[:-1]
        seen = [json.loads(line)["seq"] for line in lines]
        assert seen == sorted(set(seen))


@pytest.mark.parametrize("dies", [False, True], ids=["a full disk", "a killed process"])
def test_case_56_59_a_run_that_is_cut_off_at_any_write_is_whole_and_goes_on(
    workshop, text, disk, monkeypatch, dies
):
    workshop.run(text)  # prepares the data, which is kept for all later runs
    disk.break_at(None)
    first = workshop.run(text, fresh=True)
    whole = {p: workshop.adapter(p, first.folder) for p in PHASES}
    total = disk.count
    assert total > 100
    for number in numbers(total):
        before = set(workshop.folders())
        disk.break_at(number, dies=dies)
        with pytest.raises(DiedError if dies else MachineError):
            workshop.run(text, fresh=True)
        disk.break_at(None)
        (folder,) = set(workshop.folders()) - before
        check(folder, whole)
        with monkeypatch.context() as patch:
            patch.setattr(summary, "alive", lambda _: False)
            go_on(workshop, text, folder)
        check(folder, whole)


def go_on(workshop, text: str, folder: Path) -> None:
    if not (folder / "plan.json").exists():
        with pytest.raises(MedrecipeError, match=r"plan|no run"):
            workshop.run(text, resume=folder.name)
        return
    assert workshop.run(text, resume=folder.name, fresh=True).status == "finished"
    assert {p.name for p in (folder / "phases").iterdir()} == set(PHASES)
