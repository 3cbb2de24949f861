"""Runs that were cut off, and what they need to go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_dsl.api import DataError, LockedError, MachineError, MedrecipeError, ModelError
from pipeline_dsl.plan.plan_json import to_json
from pipeline_dsl.run.history import UnknownRunError
from pipeline_dsl.run.lock import NAME as LOCK
from pipeline_dsl.run.lock import locked
from pipeline_dsl.run.summary import read_summary

PHASES = ("first", "second", "third")

PROCESS = """
import json, sys
from pathlib import Path
from pipeline_dsl.plan.plan_json import from_json
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.request import RunRequest
from pipeline_dsl.run.start import run_plan
plan = from_json(json.loads(Path(sys.argv[1]).read_text()))
request = RunRequest(plan=plan, recipe_text="", runs=Path(sys.argv[2]), resume=(sys.argv[3:] or [None])[0])
print(run_plan(request, build_catalog(local=plan.plugins)).status)
"""


@pytest.fixture
def once(workshop) -> str:
    """A file of the toy trainer: a mishap happens until it is there, so once."""
    return str(workshop.folder / "once")


@pytest.fixture
def straight(workshop, with_train) -> dict[str, bytes]:
    """The adapters of a run of the recipe that nothing interrupted."""
    run = workshop.run(fresh=True)
    return {phase: workshop.adapter(phase, run.folder) for phase in PHASES}


def in_a_process(workshop, plan, *words: str) -> subprocess.CompletedProcess[str]:
    path = workshop.folder / "the_plan.json"
    path.write_text(json.dumps(to_json(plan)), encoding="utf-8")
    command = [sys.executable, "-c", PROCESS, str(path), str(workshop.runs), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def own_plan(folder: Path):
    from pipeline_dsl.plan.plan_json import from_json

    return from_json(json.loads((folder / "plan.json").read_text("utf-8")))


def test_a_run_goes_on_where_it_was_interrupted_and_ends_with_the_same_bytes(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    assert cut.status == "interrupted"
    done = workshop.run(text, resume=cut.id)
    assert (done.status, done.folder) == ("finished", cut.folder)
    start = workshop.recorder.of("run_start")[0]
    assert start.resumed
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [True, False, False]
    assert [e.step for e in workshop.recorder.of("started")] == [3, 0]
    undisturbed = workshop.run(text, fresh=True)
    for phase in PHASES:
        assert workshop.adapter(phase, cut.folder) == workshop.adapter(phase, undisturbed.folder)


def test_a_finished_run_can_be_resumed_and_has_nothing_to_do(workshop):
    first = workshop.run()
    again = workshop.run(resume=first.id)
    assert again.status == "finished"
    assert workshop.toy.LOADED == []
    assert [workshop.phase(p)["status"] for p in PHASES] == ["finished"] * 3


def test_a_rejected_run_that_is_resumed_is_rejected_again(workshop, recipe):
    text = recipe.replace(
        "    third:", "        retain |task, keep, otherwise|\n            ones, 0.9, reject\n    third:"
    ).replace("    second:\n", "    second:\n        train: {forget: 1.0}\n")
    first = workshop.run(text)
    again = workshop.run(text, resume=first.id)
    assert (first.status, again.status, again.exit_code) == ("rejected", "rejected", 6)
    assert "iteration_completed" not in workshop.recorder.names


def test_a_failed_run_goes_on_once_the_cause_is_gone(workshop, with_train, once):
    text = with_train("second", break_at=3, save_steps=2, once=once)
    with pytest.raises(MedrecipeError):
        workshop.run(text)
    done = workshop.run(text, resume=workshop.last.name)
    assert done.status == "finished"
    assert [e.step for e in workshop.recorder.of("started")] == [2, 0]


def test_the_history_goes_on_and_numbers_are_never_given_twice(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    before = workshop.metadata()
    done = workshop.run(text, resume=cut.id)
    numbers = [line["seq"] for line in workshop.metrics(done.folder)]
    assert numbers == list(range(1, len(numbers) + 1))
    after = workshop.metadata()
    assert after["started"] == before["started"]
    assert after["status"] == "finished"
    assert after["phases_done"] == list(PHASES)
    assert after["duration_seconds"] >= before["duration_seconds"]


def test_case_72_a_torn_line_of_the_history_is_set_aside(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    whole = len(workshop.metrics(cut.folder))
    with (cut.folder / "metrics.jsonl").open("a") as file:
        file.write('{"seq": 99, "ti')
    done = workshop.run(text, resume=cut.id)
    lines = workshop.metrics(done.folder)
    assert lines[whole]["seq"] == whole + 1
    assert (done.folder / "metrics.jsonl.torn").read_text() == '{"seq": 99, "ti'


def test_what_was_scored_is_not_scored_again_nor_lost_when_it_is_cut_off_again(workshop, with_train, once):
    text = with_train("third", signal_at=3, once=once)
    cut = workshop.run(text)
    before = json.loads((cut.folder / "retention.json").read_text("utf-8"))
    assert before["rows"] == ["base", "first", "second"]

    class Stops:
        from pipeline_dsl.api import hookimpl

        @hookimpl
        def medrecipe_phase_start(self, event):
            raise KeyboardInterrupt

    workshop.run(text, resume=cut.id, listeners=[("stops", Stops())])
    assert json.loads((cut.folder / "retention.json").read_text("utf-8")) == before
    done = workshop.run(text, resume=cut.id, fresh=True)
    assert done.status == "finished"
    assert workshop.toy.LOADED == ["load", "close"]


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "no manifest", "empty manifest"])
def test_a_damaged_adapter_is_trained_again_and_nothing_stands_on_it(workshop, damage):
    first = workshop.run()
    whole = {p: workshop.adapter(p) for p in PHASES}
    file = first.folder / "phases" / "first" / "adapter" / "adapter.json"
    manifest = file.with_name("stack.json")
    match damage:
        case "flip":
            content = bytearray(file.read_bytes())
            content[10] ^= 1
            file.write_bytes(content)
        case "cut":
            file.write_bytes(file.read_bytes()[:20])
        case "gone":
            file.unlink()
        case "no manifest":
            manifest.unlink()
        case _:
            manifest.write_text("{}")
    again = workshop.run(resume=first.id)
    assert again.status == "finished"
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [False, True, True]
    assert {p: workshop.adapter(p) for p in PHASES} == whole
    assert any(
        line.startswith("first: ") and line.endswith("the phase is done again") for line in workshop.said
    )


def test_an_adapter_of_another_phase_in_the_place_of_one_is_noticed(workshop):
    import shutil

    first = workshop.run()
    phases = first.folder / "phases"
    shutil.rmtree(phases / "second" / "adapter")
    shutil.copytree(phases / "first" / "adapter", phases / "second" / "adapter")
    assert workshop.run(resume=first.id).status == "finished"
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [True, False, True]


def test_a_phase_that_another_run_finished_meanwhile_is_taken_from_there(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    other = workshop.run(text)
    assert other.status == "finished"
    done = workshop.run(text, resume=cut.id)
    assert done.status == "finished"
    assert [workshop.phase(p)["status"] for p in PHASES] == ["finished", "reused", "reused"]
    assert workshop.phase("second")["reused_from"] == other.id
    assert workshop.adapter("second", cut.folder) == workshop.adapter("second", other.folder)
    assert workshop.phase("second")["metrics"]["steps"] == 8


def test_hooks_count_on_across_an_interruption(workshop, hooked, with_train, once):
    rules = (
        'iteration_completed, 1, "loss < 0.9 for 5", stop',
        "checkpoint_saved, 2, null, {use: note, file: notes}",
    )
    text = hooked(with_train("first", signal_at=4, save_steps=1, once=once), *rules)
    cut = workshop.run(text)
    assert cut.status == "interrupted"
    done = workshop.run(text, resume=cut.id)
    assert done.status == "finished"
    notes = (workshop.folder / "notes").read_text("utf-8")
    undisturbed = workshop.run(text, fresh=True)
    assert workshop.phase("first", cut.folder)["metrics"]["steps"] == 6
    assert workshop.adapter("first", cut.folder) == workshop.adapter("first", undisturbed.folder)
    assert [json.loads(x)["step"] for x in notes.splitlines()][:3] == [2, 4, 6]


def test_scores_that_hooks_go_by_are_known_after_an_interruption(workshop, hooked, with_train, once):
    rules = (
        "epoch_completed, 1, null, {use: evaluate, tasks: [ones]}",
        'iteration_completed, 1, "ones >= 1 and step >= 5", stop',
    )
    text = hooked(with_train("second", signal_at=4, save_steps=1, once=once, epochs=4), *rules)
    cut = workshop.run(text)
    done = workshop.run(text, resume=cut.id)
    assert done.status == "finished"
    assert workshop.phase("second", done.folder)["metrics"]["steps"] == 5


def test_case_37_data_that_changed_since_the_plan_is_refused(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    plan = own_plan(cut.folder)
    workshop.rows("threes", ["something", "else"])
    with pytest.raises(DataError) as caught:
        workshop.run(plan=plan, resume=cut.id)
    assert (caught.value.code, caught.value.exit_code) == ("MR507", 3)


def test_another_base_is_refused(workshop, recipe, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    with pytest.raises(MedrecipeError, match="the base of the run") as caught:
        workshop.run(text.replace("{use: toy}", '{use: toy, weights: "2"}'), resume=cut.id)
    assert caught.value.code == "MR467"


def test_another_recipe_is_refused_and_the_phases_named(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    with pytest.raises(
        MedrecipeError, match=r"the recipe is not the one of the run .*: third changed"
    ) as caught:
        workshop.run(text.replace("c: {use: table}", "c: {use: table, r: 2}"), resume=cut.id)
    assert caught.value.code == "MR264"
    assert workshop.run(text, resume=cut.id).status == "finished"


def test_other_libraries_are_refused(workshop, with_train, once, monkeypatch):
    from pipeline_dsl.run import resume

    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    plan = own_plan(cut.folder)
    now = resume.library_versions() | {"torch": "99.1"}
    monkeypatch.setattr(resume, "library_versions", lambda: now)
    with pytest.raises(MachineError, match=r"torch .* -> 99\.1") as caught:
        workshop.run(plan=plan, resume=cut.id)
    assert caught.value.code == "MR611"


def test_another_version_of_a_plugin_is_refused(workshop, with_train, once, tmp_path):
    from dataclasses import replace

    from pipeline_dsl.registry import build_catalog

    changed = tmp_path / "toy_plugin.py"
    source = Path(workshop.toy.__file__)
    changed.write_text(source.read_text("utf-8") + "\n# repaired\n", encoding="utf-8")
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    newer = replace(workshop, catalog=build_catalog(local=[str(changed)]))
    with pytest.raises(MachineError, match="toy_plugin/toy 1@local file-"):
        newer.run(plan=own_plan(cut.folder), resume=cut.id)


def test_a_plugin_that_is_gone_is_told_before_the_run_goes_on(workshop, with_train, once):
    from dataclasses import replace

    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    few = replace(
        workshop.catalog, offers=tuple(o for o in workshop.catalog.offers if o.provider.name != "recall")
    )
    with pytest.raises(
        MachineError, match="the metric `toy_plugin/recall` that the plan names is not installed"
    ):
        replace(workshop, catalog=few).run(plan=own_plan(cut.folder), resume=cut.id)
    assert workshop.metadata(cut.folder)["status"] == "interrupted"


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 99}', None])
def test_case_68_a_run_whose_plan_cannot_be_read_is_told(workshop, with_train, once, text):
    recipe = with_train("second", signal_at=3, once=once)
    cut = workshop.run(recipe)
    path = cut.folder / "plan.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ModelError) as caught:
        workshop.run(recipe, resume=cut.id)
    assert (caught.value.code, caught.value.exit_code) == ("MR468", 4)


def test_a_run_that_there_is_not_is_told(workshop):
    workshop.run()
    with pytest.raises(UnknownRunError) as caught:
        workshop.run(resume="20200101-000000-aaaa")
    assert caught.value.exit_code == 2


def test_the_start_of_an_id_will_do(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    assert workshop.run(text, resume=cut.id[:-2]).folder == cut.folder


def test_case_61_a_second_process_on_a_run_is_refused_and_told_the_first(workshop, with_train, once):
    cut = workshop.run(with_train("second", signal_at=3, once=once))
    with locked(cut.folder):
        done = in_a_process(workshop, own_plan(cut.folder), cut.id)
    assert done.returncode != 0
    assert f"LockedError: the run {cut.id} is being worked on by process {os.getpid()}" in done.stderr


def test_case_61_a_run_is_locked_while_it_lasts(workshop):
    from pipeline_dsl.api import hookimpl

    class Tries:
        def __init__(self):
            self.error = None

        @hookimpl
        def medrecipe_started(self, event):
            try:
                with locked(workshop.last):
                    pass
            except LockedError as error:
                self.error = error

    tries = Tries()
    outcome = workshop.run(listeners=[("tries", tries)])
    assert tries.error.exit_code == 7
    with locked(outcome.folder):
        assert (outcome.folder / LOCK).read_text().strip() == str(os.getpid())


def test_case_62_the_lock_of_a_process_that_is_gone_is_no_lock(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    (cut.folder / LOCK).write_text("1\n")
    assert workshop.run(text, resume=cut.id).status == "finished"


def test_a_run_that_says_it_lives_elsewhere_is_refused(workshop, with_train, once):
    from pipeline_dsl.syntax.machine import write_record

    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    record = workshop.metadata(cut.folder) | {"status": "running", "host": "elsewhere"}
    (cut.folder / "metadata.sdn").write_text(write_record(record), encoding="utf-8")
    with pytest.raises(LockedError, match="still running"):
        workshop.run(text, resume=cut.id)


@pytest.mark.parametrize("step", [1, 3, 4, 7])
def test_case_59_73_a_killed_run_is_crashed_and_goes_on_to_the_same_bytes(workshop, with_train, once, step):
    text = with_train("second", kill_at=step, save_steps=2, once=once)
    plan = workshop.plan(text)
    died = in_a_process(workshop, plan)
    assert died.returncode == 9
    (folder,) = workshop.folders()
    assert read_summary(folder).status == "crashed"
    done = workshop.run(plan=plan, resume=folder.name)
    assert done.status == "finished"
    assert workshop.recorder.of("started")[0].step == (step - 1) // 2 * 2
    undisturbed = workshop.run(text, fresh=True)
    for phase in PHASES:
        assert workshop.adapter(phase, folder) == workshop.adapter(phase, undisturbed.folder)
    numbers = [line["seq"] for line in workshop.metrics(folder)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_a_killed_process_left_half_written_is_removed(workshop, with_train, once):
    text = with_train("second", signal_at=3, once=once)
    cut = workshop.run(text)
    half = cut.folder / "phases" / "second" / ".adapter.99.tmp"
    half.mkdir()
    (half / "adapter.json").write_text("half")
    workshop.run(text, resume=cut.id)
    assert not list(cut.folder.rglob("*.tmp"))
