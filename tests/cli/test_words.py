from __future__ import annotations

import pytest

from pipeline_dsl.cli.documents import json_text
from pipeline_dsl.cli.figures import change, count, counted, duration, figure, interval
from pipeline_dsl.cli.tables import Column, Table, plain_lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (0.0, "0"), (1.0, "1"), (0.123456, "0.1235"), (1234567.0, "1.235e+06"), (1e-7, "1.0e-07"), (3, "3"),
        (float("nan"), "nan"), (float("inf"), "inf"), (True, "True"), ("x", "x"), (-0.5, "-0.5"),
    ],
)  # fmt: skip
def test_a_figure_has_four_digits(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"),
        (75, "1 min 15 s"), (3600, "1 h 00 min"), (90061, "25 h 01 min"),
    ],
)  # fmt: skip
def test_a_duration_is_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


def test_counts_have_their_thousands_apart():
    assert (count(1234567), count(None), counted(1, "phase"), counted(1200, "task")) == (
        "1,234,567",
        "-",
        "1 phase",
        "1,200 tasks",
    )


def test_changes_have_a_sign_and_intervals_brackets():
    assert (change(0.5, 0.25), change(0.25, 0.5), interval(0.1, 0.25)) == ("+0.25", "-0.25", "[0.1, 0.25]")


def test_columns_line_up_in_cells_and_numbers_at_the_right():
    table = Table((Column("name"), Column("n", right=True)), (("한국어", "1"), ("ab", "100")))
    assert plain_lines(table) == ["name      n", "한국어    1", "ab      100"]


def test_json_keeps_korean_and_has_no_nan():
    assert (
        json_text({"값": [float("nan"), (1.5, float("-inf"))]}).replace("\n", "").replace(" ", "")
        == '{"값":[null,[1.5,null]]}'
    )
