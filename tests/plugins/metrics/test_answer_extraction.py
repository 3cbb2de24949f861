"""Finding the answer in what a model wrote."""

import json
from pathlib import Path

import pytest

from medrecipe_plugins.metrics._answers import lenient, loops, strict

OUTPUTS = Path(__file__).parents[3] / "../shared/data/kormedmcqa_outputs/outputs.jsonl"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("answer:\nC", "C"),
        ("reasoning:\nfacts: A\n\nanswer:\n  D  \nmore", "D"),
        ("answer:\r\nB\r\n", "B"),
        ("answer:\nA\nanswer:\nB", "A"),
        ("answer: C", None),
        ("answer:\nC.", None),
        ("answer:\nC입니다", None),
        ("answer:\nc", None),
        ("answer:\n3", None),
        ("answer:\nF", None),
        ("the answer:\nC", None),
        ("answer:\n\nC", None),
        ("", None),
    ],
)
def test_strict_takes_the_strict_form_alone(text, letter):
    assert strict(text) == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("정답: B", "B"),
        ("정답은 B입니다.", "B"),
        ("따라서 정답은 ③", "C"),
        ("정답： 4번", "D"),
        ("답: (e)", "E"),
        ("The answer is **A**.", "A"),
        ("Answer: C) 위", "C"),
        ("정답: A … 다시 보면 정답: B", "B"),
        ("best answer is \\boxed{D}", "D"),
        ("answer:\nC", "C"),
        ("생각해 보자.\nB\n", "B"),
        ("정답: Aspirin", None),
        ("정답: 3.5 mg", None),
        ("A 환자는 B형 간염이다", None),
        ("", None),
    ],
)
def test_lenient_takes_what_a_reader_would_take(text, letter):
    assert lenient(text) == letter


@pytest.mark.parametrize(
    "text", ["간은 크다. " * 9, "x" * 5 + "abcde\n" * 6, "\n".join(["the same line"] * 5)]
)
def test_a_text_that_ends_in_repetition_loops(text):
    assert loops(text)


@pytest.mark.parametrize(
    "text", ["", "aaaa", "answer:\nC", "간은 크다. " * 3, "1. a\n2. b\n3. c\n4. d\n5. e"]
)
def test_ordinary_text_does_not_loop(text):
    assert not loops(text)


@pytest.mark.skipif(
    not OUTPUTS.is_file(), reason="the public outputs are not here: ../shared/data/kormedmcqa_outputs"
)
def test_lenient_agrees_with_the_letters_published_for_real_outputs():
    rows = [json.loads(line) for line in OUTPUTS.read_text(encoding="utf-8").splitlines()]
    announced = [row for row in rows if row["predicted"] and "정답:" in row["output"][-40:]]
    agree = sum(lenient(row["output"]) == row["predicted"] for row in rows)
    assert len(announced) > 150
    assert all(lenient(row["output"]) == row["predicted"] for row in announced)
    assert agree / len(rows) > 0.94
