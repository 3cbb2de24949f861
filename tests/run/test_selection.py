"""Which phases are trained, which are taken over, and from where."""

from __future__ import annotations

import json
import shutil

import pytest

from pipeline_dsl.api import MedrecipeError
from pipeline_dsl.plan.estimate import identify
from pipeline_dsl.run.reuse import find, reusable
from pipeline_dsl.run.selection import UnfinishedPhaseError, UnknownPhaseError

PHASES = ("first", "second", "third")


def reused(workshop) -> dict[str, bool]:
    return {e.phase: e.reused for e in workshop.recorder.of("phase_start")}


def reasons(workshop, text=None) -> dict[str, str]:
    plan = identify(workshop.plan(*([text] if text else [])), workshop.catalog, lambda _: None)
    return {name: reason.text for name, reason in reusable(plan, workshop.runs).items()}


def test_a_phase_that_is_asked_for_is_run_on_what_it_stands_on(workshop):
    workshop.run()
    outcome = workshop.run(only=("third",))
    assert outcome.status == "finished"
    assert reused(workshop) == {"first": True, "second": True, "third": True}
    workshop.run(only=("third",), fresh=True)
    assert reused(workshop) == {"first": True, "second": True, "third": False}


def test_phases_that_are_not_needed_are_left_out(workshop):
    workshop.run()
    outcome = workshop.run(only=("second",), fresh=True)
    assert reused(workshop) == {"first": True, "second": False}
    assert not (outcome.folder / "phases" / "third").exists()
    start, end = (workshop.recorder.of(name) for name in ("run_start", "phase_start"))
    assert start[0].phases == ("first", "second")
    assert [(e.index, e.total) for e in end] == [(0, 2), (1, 2)]
    matrix = json.loads((outcome.folder / "retention.json").read_text("utf-8"))
    assert matrix["rows"] == ["base", "first", "second"]


def test_from_runs_a_phase_and_all_after_it(workshop):
    workshop.run()
    workshop.run(start="second", fresh=True)
    assert reused(workshop) == {"first": True, "second": False, "third": False}


def test_several_phases_can_be_asked_for(workshop):
    outcome = workshop.run(only=("first", "second"))
    assert outcome.status == "finished"
    assert reused(workshop) == {"first": False, "second": False}


@pytest.mark.parametrize("request_", [{"only": ("second",)}, {"start": "third"}, {"only": ("third",)}])
def test_a_parent_that_was_never_finished_is_told_before_anything_is_written(workshop, request_):
    with pytest.raises(UnfinishedPhaseError) as caught:
        workshop.run(**request_)
    assert (caught.value.code, caught.value.exit_code) == ("MR261", 2)
    assert "`first`" in caught.value.message
    assert not workshop.runs.exists()


@pytest.mark.parametrize("request_", [{"only": ("fifth",)}, {"start": "fifth"}, {"only": ("first", "fifth")}])
def test_a_phase_that_there_is_not_is_told_with_those_that_are(workshop, request_):
    with pytest.raises(UnknownPhaseError) as caught:
        workshop.run(**request_)
    assert (caught.value.code, caught.value.exit_code) == ("MR262", 2)
    assert caught.value.help == "its phases are first, second, third"


def test_a_phase_is_found_by_fingerprint_whatever_its_run_is_called(workshop):
    first = workshop.run()
    plan = identify(workshop.plan(), workshop.catalog, lambda _: None)
    for name in PHASES:
        assert find(plan.phase(name), workshop.runs / "toys") == first.folder / "phases" / name
    first.folder.rename(first.folder.with_name("somewhere"))
    assert find(plan.phase("first"), workshop.runs / "toys").parent.parent.name == "somewhere"


def test_runs_of_another_project_are_not_looked_at(workshop, recipe):
    workshop.run()
    workshop.run(recipe.replace("seed: 7", "seed: 7\nproject: others"))
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [False] * 3


def test_a_damaged_adapter_is_not_reused_and_what_stood_on_it_is_found_to_be_the_same(workshop):
    first = workshop.run()
    (first.folder / "phases" / "first" / "adapter" / "adapter.json").write_text("{}")
    assert reasons(workshop)["first"] == "will run: its finished adapters are damaged or stand on others"
    assert workshop.run().status == "finished"
    assert reused(workshop) == {"first": False, "second": True, "third": True}


def test_an_adapter_that_was_trained_on_other_weights_is_not_reused(workshop):
    """The same fingerprint, but another result, as two machines may have it."""
    first = workshop.run()
    _retrained(first.folder / "phases" / "first" / "adapter")
    assert reasons(workshop) == {
        "first": f"reused from run {first.id}: same fingerprint",
        "second": "will run: its finished adapters are damaged or stand on others",
        "third": "will run: it stands on second",
    }
    workshop.run()
    assert reused(workshop) == {"first": True, "second": False, "third": False}


def _retrained(folder) -> None:
    from pipeline_dsl.run import manifest

    content = json.loads((folder / "adapter.json").read_text("utf-8"))
    (folder / "adapter.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    described = json.loads((folder / "stack.json").read_text("utf-8"))
    files = manifest._files(folder, described["files"])
    (folder / "stack.json").write_text(
        json.dumps(described | {"files": files, "sha256": manifest.digest(files)}), encoding="utf-8"
    )


def test_the_reasons_say_what_will_run_and_why(workshop, recipe):
    assert set(reasons(workshop).values()) == {"will run: no finished run of it"}
    first = workshop.run()
    assert set(reasons(workshop).values()) == {f"reused from run {first.id}: same fingerprint"}
    changed = recipe.replace("b: {use: table}", "b: {use: table, r: 3}")
    assert reasons(workshop, changed) == {
        "first": f"reused from run {first.id}: same fingerprint",
        "second": "will run: its fingerprint changed",
        "third": "will run: its fingerprint changed",
    }


def test_without_a_base_nothing_is_known_to_be_reusable(workshop):
    workshop.run()
    found = reusable(workshop.plan(), workshop.runs)
    assert {r.text for r in found.values()} == {"will run: the base is not here yet"}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"status": "finished"}', '{"metrics": 5}'])
def test_records_that_cannot_be_read_are_passed_over(workshop, text):
    first = workshop.run()
    (first.folder / "phases" / "first" / "phase.json").write_text(text)
    assert workshop.run().status == "finished"
    assert reused(workshop)["first"] is False


@pytest.mark.parametrize("metrics", [None, 5, []])
def test_a_record_without_its_figures_is_passed_over(workshop, metrics):
    first = workshop.run()
    path = first.folder / "phases" / "first" / "phase.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"metrics": metrics}))
    assert workshop.run(resume=first.id).status == "finished"
    assert reused(workshop) == {"first": False, "second": True, "third": True}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"cells": 5}', '{"cells": [5, {}, {"row_fingerprint": "x"}]}',
             '{"cells": [{"row_fingerprint": "a", "task_fingerprint": "b", "score": {"value": null}}]}']
)  # fmt: skip
def test_case_77_a_damaged_matrix_of_an_earlier_run_is_passed_over(workshop, text):
    first = workshop.run()
    (first.folder / "retention.json").write_text(text)
    assert workshop.run().status == "finished"
    assert workshop.toy.LOADED == ["load", "close"] * 4


def test_a_copy_that_was_cut_off_is_made_again(workshop):
    first = workshop.run()
    second = workshop.run()
    folder = second.folder / "phases" / "first"
    shutil.rmtree(folder / "adapter")
    assert workshop.run(resume=second.id).status == "finished"
    assert workshop.phase("first")["reused_from"] == first.id
    assert workshop.adapter("first", second.folder) == workshop.adapter("first", first.folder)


def test_what_may_not_be_trained_and_cannot_be_taken_over_ends_the_run(workshop):
    """The parent that is asked for comes out otherwise, so that what stands on the old one cannot be used."""
    first = workshop.run()
    for name in ("first", "second"):
        _retrained(first.folder / "phases" / name / "adapter")
    with pytest.raises(MedrecipeError) as caught:
        workshop.run(only=("third",), fresh=True)
    assert caught.value.code == "MR261"
