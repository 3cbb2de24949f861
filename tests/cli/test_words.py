from __future__ import annotations

import time
from datetime import UTC, datetime

import click
import pytest

from pipeline_dsl.cli.documents import json_text
from pipeline_dsl.cli.figures import count, counted, duration, figure, interval, moment, share, signed
from pipeline_dsl.cli.tables import Column, Table, table_lines
from pipeline_dsl.cli.terminal import Paint, cells, clipped, folded

PLAIN, COLOURED = Paint(enabled=False), Paint(enabled=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (0.0, "0.00"), (1.0, "1.00"), (0.123456, "0.12"), (0.995, "0.99"), (2.8e-17, "0.00"), (-0.001, "0.00"),
        (9.996, "10.0"), (12.345, "12.3"), (99.96, "100"), (310.41, "310"), (1234.5, "1,234"), (1234567.0, "1.23e+06"),
        (3, "3"), (float("nan"), "nan"), (float("inf"), "inf"), (True, "True"), ("x", "x"), (-0.5, "-0.50"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_and_a_share_two_decimals(value, text):
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


@pytest.fixture
def seoul(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-04-12T20:15:30+00:00", "13 Apr 05:15"),
        ("2025-12-31T10:00:00+00:00", "31 Dec 2025"),
        ("2025-12-31T20:00:00+00:00", "1 Jan 05:00"),
        (None, "-"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_moment_is_told_in_the_time_of_this_place(seoul, text, shown):
    assert moment(text, now=datetime(2026, 6, 1, tzinfo=UTC)) == shown


def test_counts_have_their_thousands_apart():
    assert (count(1234567), count(None), counted(1, "phase"), counted(1200, "task")) == (
        "1,234,567",
        "-",
        "1 phase",
        "1,200 tasks",
    )


def test_changes_have_a_sign_intervals_brackets_and_shares_percent():
    assert [signed(value) for value in (0.25, -0.25, 0.001, None)] == ["+0.25", "-0.25", "0.00", "-"]
    assert interval(0.1, 0.25) == "[0.10, 0.25]"
    assert (share(466_944, 2_903_616), share(1, 0)) == ("16 %", "1e+02 %")


def test_columns_line_up_in_cells_and_numbers_at_the_right():
    table = Table((Column("name"), Column("n", right=True)), (("한국어", "1"), ("ab", "100")))
    assert table_lines(table, PLAIN) == ["name      n", "한국어    1", "ab      100"]


def test_a_table_that_is_too_wide_folds_the_column_that_may_be_folded():
    table = Table(
        (Column("option"), Column("what", folds=True), Column("n")), (("a", "폐는 숨을 쉰다 and so on", "7"),)
    )
    assert table_lines(table, PLAIN, 28) == [
        "option  what               n",
        "a       폐는 숨을 쉰다     7",
        "        and so on",
    ]
    assert len(table_lines(table, PLAIN)) == 2


def test_the_colour_of_a_cell_changes_no_column():
    table = Table((Column("status", ink=COLOURED.green), Column("n")), (("fine", "7"), ("finished", "8")))
    lines = table_lines(table, COLOURED)
    assert "\x1b[32m" in lines[1]
    assert [click.unstyle(line) for line in lines] == ["status    n", "fine      7", "finished  8"]


def test_a_long_text_is_broken_between_words_and_hangs():
    assert folded("  한국어를 배우는 작은 모형 하나", 18, 4) == ["  한국어를 배우는", "    작은 모형 하나"]
    assert folded("  a", 18) == ["  a"]
    assert folded("a b c", None) == ["a b c"]


def test_colours_take_no_room_and_a_path_is_never_broken():
    text = f"{COLOURED.red('one two')} three /a/very/long/path/of/no/spaces four"
    lines = folded(text, 15)
    assert [click.unstyle(line) for line in lines] == [
        "one two three",
        "/a/very/long/path/of/no/spaces",
        "four",
    ]


@pytest.mark.parametrize(
    ("text", "width", "cut"), [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abcde…"), ("한국어", 5, "한국…"), ("한국어", 4, "한…")]
)  # fmt: skip
def test_a_text_is_cut_in_cells(text, width, cut):
    assert clipped(text, width) == cut
    assert cells(cut) <= width


def test_json_keeps_korean_and_has_no_nan():
    assert (
        json_text({"값": [float("nan"), (1.5, float("-inf"))]}).replace("\n", "").replace(" ", "")
        == '{"값":[null,[1.5,null]]}'
    )
