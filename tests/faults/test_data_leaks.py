"""Faults 25 to 33 and 36: rows that are wrong, and rows that are taught and asked."""

import json

import pytest

QUESTION = {
    "question": "Which organ makes bile?",
    "A": "heart",
    "B": "lung",
    "C": "liver",
    "D": "skin",
    "E": "ear",
}
RECIPE = """\
recipe: sample
model: {use: embedded, layers: 1, width: 32, mlp_width: 64, pretraining_steps: 0, vocabulary: 400}
adapters:
    first: {use: lora, r: 4}
data:
    taught: {use: jsonl, path: taught.jsonl}
    asked: {use: jsonl, path: asked.jsonl}
tasks |task, data, template, metric|
    exam, asked, mcq, mcq_accuracy
train: {epochs: 1}
phases:
    one:
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            taught, mcq, 1
"""


def _lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _questions(count, what, **changes):
    letters = "ABCDE"
    return [
        {"question": f"{what} {i}: which?", "answer": letters[i % 5]}
        | {letter: f"{what[0]}{i}{letter}" * 4 for letter in letters}
        | changes
        for i in range(count)
    ]


@pytest.fixture
def plan(bench):
    """Plan the recipe on taught and asked rows; to plan is to look through all data, and to train nothing."""
    bench.write("r.sdn", RECIPE)

    def run(taught, asked, *more):
        bench.write("taught.jsonl", _lines(*taught))
        bench.write("asked.jsonl", _lines(*asked))
        return bench.run("plan", "r.sdn", *more)

    return run


def _refused(outcome, code, *words):
    assert outcome.code == 3, outcome.both
    assert f"error[{code}]" in outcome.err
    assert all(word in outcome.both for word in words), outcome.both
    assert "Traceback" not in outcome.both


@pytest.mark.parametrize("answer", ["F", "2", "", [1]])
def test_case_25_and_27_an_answer_that_is_no_option_is_3(plan, answer):
    rows = _questions(5, "taught")
    _refused(plan([*rows, rows[0] | {"answer": answer}], _questions(5, "asked")), "MR511", "taught")


def test_case_25_null_is_3_and_a_small_letter_with_a_space_is_taken(plan):
    rows = _questions(5, "taught")
    _refused(plan([rows[0] | {"answer": None}], _questions(5, "asked")), "MR514")
    assert plan([rows[0] | {"answer": "b "}, *rows[1:]], _questions(5, "asked")).code == 0


def test_case_26_the_right_option_twice_is_3_and_names_the_row(plan):
    twice = QUESTION | {"id": "doctor_0341", "A": "Liver ", "answer": "C"}
    outcome = plan([*_questions(5, "taught"), twice], _questions(5, "asked"))
    _refused(outcome, "MR551", "doctor_0341", "repeated_options")
    assert "Liver" not in outcome.both


def test_case_28_the_same_answer_everywhere_is_said(plan):
    outcome = plan(_questions(12, "taught", answer="B"), _questions(5, "asked"))
    assert outcome.code == 0
    assert "note: all 12 answers of `taught` are B" in outcome.out


def test_case_29_a_row_that_is_taught_and_asked_is_3(plan):
    taught = _questions(5, "taught")
    same = {**taught[3], "question": taught[3]["question"].upper() + "  "}
    outcome = plan(taught, [*_questions(5, "asked"), same])
    _refused(
        outcome, "MR550", "`asked` shares 1 of 6 rows with `taught`", "asked.jsonl:6 and", "taught.jsonl:4"
    )


def test_case_29_a_streamed_row_that_is_asked_is_3_when_it_comes(bench):
    streamed = RECIPE.replace("taught.jsonl}", "taught.jsonl, streaming: true}").replace(
        "epochs: 1", "max_steps: 3"
    )
    taught = _questions(12, "taught")
    bench.write("r.sdn", streamed)
    bench.write("taught.jsonl", _lines(*taught))
    bench.write("asked.jsonl", _lines(*_questions(5, "asked"), taught[7]))
    _refused(bench.run("run", "r.sdn"), "MR550", "`asked` shares a row with `taught`", "taught.jsonl:8")


def test_case_29_recall_of_the_very_same_data_is_meant(bench):
    bench.write("r.sdn", RECIPE.replace("exam, asked", "exam, taught"))
    bench.write("taught.jsonl", _lines(*_questions(5, "taught")))
    bench.write("asked.jsonl", _lines(*_questions(5, "asked")))
    assert bench.run("plan", "r.sdn").code == 0


def test_case_30_questions_on_one_case_are_said_with_the_way_out(plan):
    story = (
        "A 58-year-old man came to the emergency room with squeezing chest pain and cold sweat since noon. "
    )
    taught = [QUESTION | {"question": story + "Which vessel is blocked?", "answer": "A"}]
    asked = [QUESTION | {"question": story + "What is given first of all?", "answer": "B"}]
    outcome = plan([*_questions(4, "taught"), *taught], [*_questions(4, "asked"), *asked])
    assert outcome.code == 0
    said = " ".join(outcome.out.split())
    assert "1 of 5 rows of `asked` share most of their text with rows of `taught`" in said
    assert "group_by" in outcome.out
    assert "squeezing" not in outcome.both


@pytest.mark.parametrize("policy", ["max_length: 16", "max_length: 3, overflow: truncate_prompt"])
def test_case_31_and_32_what_would_cut_an_answer_is_3_before_anything_is_trained(bench, policy):
    bench.write("r.sdn", RECIPE.replace("epochs: 1", f"epochs: 1, {policy}"))
    bench.write("taught.jsonl", _lines(*_questions(5, "taught")))
    bench.write("asked.jsonl", _lines(*_questions(5, "asked")))
    _refused(bench.run("run", "r.sdn"), "MR540", "5 of 5 samples", "max_length")


@pytest.mark.parametrize("overflow", ["drop", "truncate_prompt"])
def test_case_31_the_overflow_policy_is_obeyed_and_told(bench, overflow):
    long = _questions(1, "taught " + "bile and liver " * 60)
    bench.write("r.sdn", RECIPE.replace("epochs: 1", f"epochs: 1, max_length: 200, overflow: {overflow}"))
    bench.write("taught.jsonl", _lines(*_questions(5, "taught"), *long))
    bench.write("asked.jsonl", _lines(*_questions(5, "asked")))
    outcome = bench.run("run", "r.sdn")
    assert outcome.code == 0, outcome.both
    assert {"drop": "1 was dropped", "truncate_prompt": "1 was given shorter prompts"}[
        overflow
    ] in outcome.both


@pytest.mark.parametrize("mark", ["<end_of_turn>", "<eos>", "<|im_end|>"])
def test_case_36_a_control_token_in_the_data_is_3(plan, mark):
    rows = _questions(5, "taught")
    outcome = plan([*rows, rows[0] | {"question": f"secret {mark} words"}], _questions(5, "asked"))
    _refused(outcome, "MR513", "taught")
    assert "secret" not in outcome.both


def test_case_33_an_empty_response_is_3(bench):
    recipe = RECIPE.replace("taught, mcq, 1", "taught, instruction, 1")
    bench.write("r.sdn", recipe)
    bench.write("taught.jsonl", _lines({"instruction": "What is flu?", "response": " "}))
    bench.write("asked.jsonl", _lines(*_questions(5, "asked")))
    _refused(bench.run("plan", "r.sdn"), "MR512")


def test_case_37_data_that_changes_between_plan_and_training_is_3(bench):
    bench.write("r.sdn", RECIPE)
    bench.write("taught.jsonl", _lines(*_questions(5, "taught")))
    bench.write("asked.jsonl", _lines(*_questions(5, "asked")))
    bench.write(
        "changes.py",
        "from pathlib import Path\n"
        "from pipeline_dsl.api import hookimpl\n\n"
        "@hookimpl\n"
        "def medrecipe_phase_start(event):\n"
        "    path = Path('taught.jsonl')\n"
        "    path.write_text(path.read_text() * 2)\n",
    )
    _refused(bench.run("run", "r.sdn", "--plugin", "changes.py"), "MR507", "taught.jsonl")
