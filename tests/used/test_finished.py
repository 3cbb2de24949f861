"""A finished run in use: names, bases, and paths."""

from __future__ import annotations

import json
import shutil

import pytest

from pipeline_dsl.api import MedrecipeError
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.asking import choose_question, questions_of
from pipeline_dsl.run.finished import UnknownStackError, open_run


@pytest.fixture(scope="module")
def run(used):
    return open_run(used.runs, used.id, build_catalog(), say=lambda _: None)


def test_stacks_are_found_by_phase_by_adapter_and_by_recipe(run):
    names = {n: run.find(n).name for n in ("english", "words", "others", "top", "used", "base", None, "")}
    assert names == {
        "english": "english", "words": "english", "others": "opposite", "top": "replies", "used": "replies",
        "base": "base", None: "replies", "": "replies",
    }  # fmt: skip


def test_a_name_that_the_run_does_not_have_is_answered_with_the_nearest(run):
    with pytest.raises(UnknownStackError) as error:
        run.find("englihs")
    assert (error.value.exit_code, error.value.code) == (2, "MR265")
    assert "did you mean `english`" in error.value.help


def test_all_stacks_of_a_32_bit_base_are_on_one(run):
    assert len(run.groups([*run.stacks, run.base])) == 1


def test_a_phase_that_is_not_finished_is_no_stack(copy_of):
    used = copy_of()
    shutil.rmtree(used.run / "phases" / "replies")
    run = open_run(used.runs, used.id, build_catalog(), say=lambda _: None)
    assert [stack.name for stack in run.stacks] == ["english", "opposite", "exam"]
    with pytest.raises(UnknownStackError, match="not finished"):
        run.find("replies")


def test_a_run_without_a_finished_phase_is_refused(copy_of):
    used = copy_of()
    shutil.rmtree(used.run / "phases")
    with pytest.raises(MedrecipeError) as error:
        open_run(used.runs, used.id, build_catalog(), say=lambda _: None)
    assert error.value.code == "MR261"


def test_a_run_is_opened_by_the_path_of_its_folder(copy_of, tmp_path):
    used = copy_of()
    moved = tmp_path / "elsewhere"
    shutil.move(used.run, moved)
    run = open_run(tmp_path / "no-runs", f"{moved}/", build_catalog(), say=lambda _: None)
    assert run.last.name == "replies"


def test_a_rejected_phase_is_a_stack_that_says_so(copy_of):
    used = copy_of()
    path = used.run / "phases" / "replies" / "phase.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(record | {"status": "rejected"}), encoding="utf-8")
    run = open_run(used.runs, used.id, build_catalog(), say=lambda _: None)
    assert [stack.rejected for stack in run.stacks] == [False, False, False, True]


def test_questions_are_the_templates_of_the_phase_by_weight(run):
    names = [q.name for q in questions_of(run.plan, run.catalog, run.find("replies").phase)]
    assert names == ["human_assistant", "dictionary"]
    of_base = [q.name for q in questions_of(run.plan, run.catalog, None)]
    assert of_base == ["human_assistant", "dictionary", "mcq"]
    assert choose_question(questions_of(run.plan, run.catalog, None), "mcq", typed=True).name == "mcq"
