"""``medrecipe generate``: a trained run writes, as it was trained."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

QUESTION = "Which organ pumps blood?\nA) heart\nB) lung\nC) liver\nD) kidney\nE) skin"


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_it_answers_in_the_form_in_which_it_was_trained(used):
    result = used("generate", "--prompt", "heart", "--adapter", "english")
    assert (result.code, result.out) == (0, "심장\n")


def test_talk_is_on_stderr_and_the_answer_alone_on_stdout(used):
    result = used("generate", "--prompt", "lung", "--adapter", "english")
    assert result.out == "폐\n"
    assert "loading the base" in result.err


@pytest.mark.parametrize(("name", "answer"), [("opposite", "폐"), ("others", "폐"), ("words", "심장")])
def test_a_phase_or_the_adapter_that_it_trained_can_be_named(used, name, answer):
    assert used("generate", "--prompt", "heart", "--adapter", name).out == f"{answer}\n"


def test_base_and_tuned_are_told_apart_side_by_side(used):
    result = used("generate", "--prompt", "liver", "--adapter", "english", "--compare", "base", "--json")
    (document,) = documents(result.out)
    base, tuned = document["answers"]
    assert (base["adapter"], tuned["adapter"]) == ("base", "english")
    assert tuned["text"] == "간"
    assert base["text"] != "간"
    assert tuned["finish"] == "stop"
    assert 0 < base["confidence"] < tuned["confidence"] <= 1
    assert result.err.count("loading the base") == 1


def test_into_a_pipe_compared_answers_stand_under_their_names(used):
    out = used("generate", "--prompt", "liver", "--adapter", "english", "--compare", "opposite").out
    assert out == "[opposite]\n콩팥\n\n[english]\n간\n\n"


def test_a_file_of_prompts_is_answered_in_its_order(used, tmp_path):
    words = ["heart", "lung", "liver", "kidney"] * 6
    rows = [{"prompt": w} if n % 2 else {"english": w, "id": f"n{n}"} for n, w in enumerate(words)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = used("generate", "--file", str(path), "--adapter", "english", "--json")
    found = documents(result.out)
    expected = {"heart": "심장", "lung": "폐", "liver": "간", "kidney": "콩팥"}
    assert [d["answers"][0]["text"] for d in found] == [expected[w] for w in words]
    assert found[0]["id"] == "n0"
    assert found[1]["id"] == f"{path}:2"


def test_a_file_of_prompts_may_be_one_json_list(used, tmp_path):
    path = tmp_path / "q.json"
    path.write_text('[{"prompt": "heart", "id": "a"},\n {"english": "lung"}]', encoding="utf-8")
    found = documents(used("generate", "--file", str(path), "--adapter", "english", "--json").out)
    assert [(d["id"], d["answers"][0]["text"]) for d in found] == [("a", "심장"), (f"{path}:2:2", "폐")]


def test_answers_of_a_file_stand_under_their_ids_for_people(used, tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("id,english\nfirst,heart\nsecond,lung\n", encoding="utf-8")
    out = used("generate", "--file", str(path), "--adapter", "english").out
    assert out == "== first\n심장\n\n== second\n폐\n\n"


def test_a_row_that_cannot_be_asked_is_named_and_nothing_is_loaded(used, tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"english": "heart"}\n{"englsh": "heart"}\n', encoding="utf-8")
    result = used("generate", "--file", str(path), "--adapter", "english")
    assert result.code == 2
    assert "MR266" in result.err
    assert "q.jsonl:2" in result.err
    assert "loading" not in result.err


def test_the_prompt_can_come_from_standard_input(used, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("kidney\n"))
    assert used("generate", "--prompt", "-", "--adapter", "english").out == "콩팥\n"


def test_an_exam_question_is_read_as_people_write_it(used):
    written = used("generate", "--prompt", QUESTION, "--adapter", "exam", "--max-new-tokens", "3", "--json")
    assert written.code == 0
    assert documents(written.out)[0]["template"] == "mcq"
    wrong = used("generate", "--prompt", "Which organ?", "--adapter", "exam")
    assert (wrong.code, "five lines" in wrong.err) == (2, True)


def test_another_template_of_the_phase_can_be_chosen(used):
    arguments = ("--prompt", "heart", "--max-new-tokens", "2", "--json")
    assert documents(used("generate", *arguments).out)[0]["template"] == "human_assistant"
    chosen = used("generate", *arguments, "--template", "dictionary")
    assert documents(chosen.out)[0]["template"] == "dictionary"
    unknown = used("generate", *arguments, "--template", "mcq")
    assert (unknown.code, "MR267" in unknown.err, "human_assistant, dictionary" in unknown.err) == (
        2,
        True,
        True,
    )


def test_the_same_seed_writes_the_same_text(used):
    drawn = (
        "--prompt",
        "hello",
        "--temperature",
        "1.5",
        "--max-new-tokens",
        "12",
        "--json",
        "--adapter",
        "base",
    )
    first = used("generate", *drawn, "--seed", "3").out
    assert first == used("generate", *drawn, "--seed", "3").out
    assert first != used("generate", *drawn, "--seed", "4").out


def test_a_cut_off_answer_says_so(used):
    result = used("generate", "--prompt", "heart", "--adapter", "base", "--max-new-tokens", "2")
    assert "cut off after 2 tokens" in result.err


def test_a_stop_ends_an_answer(used):
    result = used("generate", "--prompt", "heart", "--adapter", "english", "--stop", "장")
    assert result.out == "심\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--prompt", "x", "--adapter", "englisch"), "did you mean `english`"),
        (("--prompt", "x", "--compare", "replies"), "replies itself"),
        ((), "Give either"),
        (("--prompt", "x", "--file", __file__), "Give either"),
        (("--prompt", "x", "--top-p", "0"), "top-p"),
        (("--prompt", "x", "--max-new-tokens", "0"), "max-new-tokens"),
    ],
)
def test_wrong_turns_end_with_exit_code_2_and_a_way_on(used, arguments, says):
    result = used("generate", *arguments)
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_a_prompt_beyond_the_models_positions_is_refused(used):
    result = used("generate", "--prompt", "heart " * 500, "--adapter", "english")
    assert (result.code, "MR530" in result.err) == (3, True)


def test_a_control_token_in_a_prompt_is_refused(used):
    result = used("generate", "--prompt", "hi <end_of_turn>", "--adapter", "english")
    assert (result.code, "MR513" in result.err) == (3, True)


def test_what_would_steer_a_terminal_is_not_shown():
    from pipeline_dsl.cli.answers import printable

    assert printable("a\x1b[31mb\x07\tc\nd\u009b") == "a[31mb\tc\nd"
