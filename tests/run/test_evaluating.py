"""Scoring a finished run again."""

from __future__ import annotations

import pytest

from pipeline_dsl.api import DataError, MedrecipeError, ModelError
from pipeline_dsl.run.evaluate import evaluate_run
from pipeline_dsl.run.history import UnknownRunError


def evaluate(workshop, run, **choices):
    workshop.toy.LOADED.clear()
    scores = evaluate_run(workshop.runs, run, workshop.catalog, say=workshop.said.append, **choices)
    return {task: score.value for task, score in scores.items()}


def test_the_last_finished_phase_is_scored_on_all_tasks_and_the_model_closed(workshop):
    run = workshop.run()
    assert evaluate(workshop, run.id) == pytest.approx({"ones": 1.0, "twos": 1.0, "calm": 1 / 3})
    assert workshop.toy.LOADED == ["load", "close"]
    assert workshop.said[-1] == "scored calm"


def test_a_phase_and_tasks_can_be_named(workshop):
    run = workshop.run()
    assert evaluate(workshop, run.id, phase="first", tasks=["twos"]) == {"twos": 0.0}


def test_nothing_of_the_run_is_changed(workshop):
    run = workshop.run()
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    evaluate(workshop, run.id)
    assert {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()} == before


def test_a_run_is_scored_by_the_path_of_its_folder(workshop):
    run = workshop.run()
    assert evaluate(workshop, str(run.folder), tasks=["ones"]) == {"ones": 1.0}


def test_an_exported_stack_has_no_data_and_says_where_its_scores_are(workshop):
    run = workshop.run()
    (run.folder / "export.json").write_text("{}")
    with pytest.raises(DataError) as caught:
        evaluate(workshop, str(run.folder))
    assert "README.md" in caught.value.help


@pytest.mark.parametrize(
    ("choices", "code"),
    [({"phase": "fifth"}, "MR262"), ({"tasks": ["cold"]}, "MR263")],
)
def test_what_there_is_not_is_told(workshop, choices, code):
    run = workshop.run()
    with pytest.raises(MedrecipeError) as caught:
        evaluate(workshop, run.id, **choices)
    assert caught.value.code == code
    assert caught.value.help


def test_a_run_without_a_finished_phase_is_told(workshop, with_train):
    with pytest.raises(MedrecipeError):
        workshop.run(with_train("first", break_at=1))
    with pytest.raises(MedrecipeError) as caught:
        evaluate(workshop, workshop.last.name)
    assert caught.value.code == "MR261"


def test_a_phase_that_was_never_run_has_no_adapter_to_score(workshop):
    run = workshop.run(only=("first",))
    with pytest.raises(ModelError) as caught:
        evaluate(workshop, run.id, phase="second")
    assert caught.value.code == "MR466"


def test_a_damaged_adapter_is_told(workshop):
    run = workshop.run()
    (run.folder / "phases" / "first" / "adapter" / "adapter.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        evaluate(workshop, run.id)
    assert caught.value.code == "MR466"


def test_case_37_data_that_changed_is_told(workshop):
    run = workshop.run()
    workshop.rows("ones", ["other"])
    with pytest.raises(DataError) as caught:
        evaluate(workshop, run.id)
    assert caught.value.code == "MR507"


def test_a_run_that_there_is_not_is_told(workshop):
    with pytest.raises(UnknownRunError):
        evaluate(workshop, "20200101-000000-aaaa")
