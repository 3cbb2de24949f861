"""Whatever people and machines do to runs, in any order: no success on wrong files, and no training for nothing."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from pipeline_dsl.api import MedrecipeError, hookimpl
from pipeline_dsl.run.reuse import REUSABLE
from pipeline_dsl.syntax.machine import write_record

PHASES = ("first", "second", "third")
EDITS = ("", "epochs: 1", "forget: 0.5")
"""What the recipes of a history say of the second phase's training."""


class Stops:
    """Ends a run at its n-th event, as a user, a bug or the end of the process does."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.left = at
        self.error = error

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error

    @hookimpl
    def medrecipe_iteration_completed(self, event):
        self.count()

    @hookimpl
    def medrecipe_evaluation_completed(self, event):
        self.count()

    @hookimpl
    def medrecipe_phase_end(self, event):
        self.count()


class Histories(RuleBasedStateMachine):
    """Runs of three recipes in one folder: cut off, resumed, damaged and run again."""

    def __init__(self, workshop, recipe: str, whole: dict[str, dict[str, bytes]]) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.shop = replace(workshop, folder=Path(self.place.name))
        for name in ("ones", "twos", "threes"):
            (self.shop.folder / f"{name}.jsonl").write_bytes((workshop.folder / f"{name}.jsonl").read_bytes())
        self.recipe = recipe
        self.whole = whole
        self.cut: dict[str, str] = {}

    def teardown(self) -> None:
        self.place.cleanup()

    @rule(edit=st.sampled_from(EDITS))
    def run(self, edit: str) -> None:
        before = self.intact(edit)
        assert self.shop.run(text_of(self.recipe, edit)).status == "finished"
        self.check(edit)
        fingerprints = {p: self.shop.phase(p)["fingerprint"] for p in PHASES}
        for event in self.shop.recorder.of("phase_start"):
            assert event.reused == ((event.phase, fingerprints[event.phase]) in before)

    @rule(
        edit=st.sampled_from(EDITS),
        at=st.integers(1, 30),
        how=st.sampled_from(["user", "bug", "kill"]),
        fresh=st.booleans(),
    )
    def cut_off(self, edit: str, at: int, how: str, *, fresh: bool) -> None:
        error = KeyboardInterrupt() if how == "user" else ZeroDivisionError()
        stops = ("stops", Stops(at, error))
        status = "failed"
        with suppress(MedrecipeError):  # the bug, under the listener's name
            status = self.shop.run(text_of(self.recipe, edit), fresh=fresh, listeners=[stops]).status
        if status == "finished":
            return
        folder = self.shop.last
        self.cut[folder.name] = edit
        if how == "kill":
            record = self.shop.metadata(folder) | {"status": "running", "pid": 2**22 + 1}
            (folder / "metadata.sdn").write_text(write_record(record), encoding="utf-8")

    @precondition(lambda self: self.cut)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.cut)))
        edit = self.cut.pop(name)
        assert self.shop.run(text_of(self.recipe, edit), resume=name).status == "finished"
        self.check(edit)

    @precondition(lambda self: list(self.shop.runs.glob("toys/*/phases/*/adapter/adapter.json")))
    @rule(data=st.data(), how=st.sampled_from(["flip", "delete", "no manifest", "swap"]))
    def damage(self, data: st.DataObject, how: str) -> None:
        there = sorted(self.shop.runs.glob("toys/*/phases/*/adapter/adapter.json"))
        file = data.draw(st.sampled_from(there))
        match how:
            case "flip":
                file.write_bytes(file.read_bytes()[:-1] + b" ")
            case "delete":
                file.unlink()
            case "no manifest":
                file.with_name("stack.json").unlink(missing_ok=True)
            case _:
                file.write_bytes(data.draw(st.sampled_from(there)).read_bytes())

    def check(self, edit: str) -> None:
        """A run that says it finished has in it what its recipe gives."""
        assert {p: self.shop.adapter(p) for p in PHASES} == self.whole[edit]
        assert [
            self.shop.phase(p)["status"] for p in PHASES if self.shop.phase(p)["status"] not in REUSABLE
        ] == []
        assert self.shop.metadata()["phases_done"] == list(PHASES)
        numbers = [line["seq"] for line in self.shop.metrics()]
        assert numbers == sorted(set(numbers))

    def intact(self, edit: str) -> set[tuple[str, str]]:
        """Phases that can be taken over, and their fingerprints, by looking at the bytes themselves."""
        found = set()
        for path in self.shop.runs.glob("toys/*/phases/*/phase.json"):
            record = json.loads(path.read_text("utf-8"))
            adapter, name = path.parent / "adapter", record["name"]
            whole = (
                (adapter / "stack.json").exists()
                and (adapter / "adapter.json").exists()
                and (adapter / "adapter.json").read_bytes() == self.whole[edit][name]
            )
            if whole and record["status"] in REUSABLE:
                found.add((name, record["fingerprint"]))
        return found


def text_of(recipe: str, edit: str) -> str:
    return recipe.replace("    second:\n", f"    second:\n        train: {{{edit}}}\n") if edit else recipe


def test_whatever_happens_to_runs_success_means_the_right_weights(workshop, recipe):
    whole = {}
    for edit in EDITS:
        workshop.run(text_of(recipe, edit), fresh=True)
        whole[edit] = {p: workshop.adapter(p) for p in PHASES}
    run_state_machine_as_test(
        lambda: Histories(workshop, recipe, whole),
        settings=settings(
            max_examples=int(os.environ.get("HISTORIES", "12")),
            stateful_step_count=8,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
