"""Views: columns, then filter, then part, then limit; what is wrong with rows is told with counts."""

from __future__ import annotations

import pytest

from pipeline_dsl.api import DataError


def values(rows):
    return [placed.row["n"] for placed in rows]


ROWS = [{"n": n, "kind": "even" if n % 2 == 0 else "odd"} for n in range(10)]


def refused(read) -> DataError:
    with pytest.raises(DataError) as caught:
        read()
    return caught.value


def test_rows_come_with_their_places_and_all_of_their_columns(view):
    rows = view(ROWS[:2], columns={"number": "n"}).rows()
    assert [(place, row) for place, row in rows] == [
        ("f:1", {"n": 0, "kind": "even", "number": 0}),
        ("f:2", {"n": 1, "kind": "odd", "number": 1}),
    ]


def test_a_mapped_column_may_take_another_s_name(view):
    rows = view([{"a": 1, "b": 2}], columns={"a": "b", "b": "a"}).rows()
    assert rows[0].row == {"a": 2, "b": 1}


def test_filter_and_group_use_mapped_names_and_limit_counts_what_is_left(view):
    chosen = view(ROWS, columns={"number": "n"}, filter="number >= 4 and kind == 'even'", limit=2)
    assert values(chosen.rows()) == [4, 6]
    assert values(chosen.rows(limit=1)) == [4]
    assert values(view(ROWS, limit=1).rows(limit=5)) == [0]


def test_limit_takes_the_first_rows_of_the_part(view):
    whole = view(ROWS, split=(0.5, 0.5), part="validation")
    assert values(view(ROWS, split=(0.5, 0.5), part="validation", limit=2).rows()) == values(whole.rows())[:2]


def test_no_more_is_read_than_the_limit_asks_for(view):
    chosen = view(ROWS, limit=3)
    chosen.rows()
    assert chosen.source.read == 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a == 'x'", [0]),
        ("a != 'x'", [1]),
        ("not a == 'x'", [1]),
        ("a == 'x' or b > 1", [0, 2]),
        ("b >= 2", [2]),
        ("'it''s' == a", [1]),
        ("ok == 'true'", [0]),
        ("b == c", [0]),
    ],
)
def test_null_is_unknown_and_does_not_match(view, text, wanted):
    rows = [
        {"n": 0, "a": "x", "b": 1, "c": 1.0, "ok": True},
        {"n": 1, "a": "it's", "b": None, "c": 1, "ok": False},
        {"n": 2, "a": None, "b": 2, "c": None, "ok": None},
    ]
    assert values(view(rows, filter=text).rows()) == wanted


def test_text_that_reads_as_a_number_is_compared_as_one(view):
    rows = [{"n": n, "year": year} for n, year in enumerate(["2018", " 2019 ", "2020.0"])]
    assert values(view(rows, filter="year >= 2019").rows()) == [1, 2]


@pytest.mark.parametrize(
    ("value", "filter_", "says"),
    [
        ("abc", "v > 1", "column `v` is text, and the filter compares it with a number, in 2 of 3 rows"),
        (5, "v == 'x'", "column `v` is a number, and the filter compares it with text, in 2 of 3 rows"),
        (
            ["x"],
            "v == 'x'",
            "column `v` is a list, and the filter compares it with a single value, in 2 of 3 rows",
        ),
    ],
)
def test_a_value_that_cannot_be_compared_is_an_error_with_counts(view, value, filter_, says):
    error = refused(view([{"v": None}, {"v": value}, {"v": value}], filter=filter_).rows)
    assert (error.code, error.place) == ("MR523", "f:2")
    assert error.message == f"in `exam` {says}"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ({"columns": {"text": "t"}}, "MR505", "column `t` is missing in 2 of 4 rows"),
        (
            {"filter": "t == 'x'"},
            "MR521",
            "column `t`, which the data block asks for, is missing in 2 of 4 rows",
        ),
        (
            {"split": (0.5, 0.5), "group_by": ("t",)},
            "MR521",
            "`t`, which the data block asks for, is missing in 2",
        ),
        ({"needs": ("t",)}, "MR506", "column `t`, which the template needs, is missing in 2 of 4 rows"),
    ],
)
def test_a_column_that_some_rows_lack_is_an_error_with_counts_and_the_first_place(view, words, code, says):
    rows = [{"t": "x"}, {"u": 1}, {"t": "y"}, {"u": 2}]
    error = refused(view(rows, **words).rows)
    assert (error.code, error.place) == (code, "f:2")
    assert says in error.message
    assert error.help == "columns of the data: t, u"


def test_columns_that_no_one_asks_for_may_come_and_go(view):
    assert len(view([{"t": 1, "a": 1}, {"t": 2, "b": 1}], needs=("t",)).rows()) == 2


def test_a_stream_tells_of_the_first_row_that_is_wrong(view):
    rows = view([{"t": 1}, {"u": 1}, {"u": 1}], needs=("t",), streaming=True).since(0)
    next(rows)
    error = refused(lambda: next(rows))
    assert (error.code, error.place) == ("MR506", "f:2")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_filter_that_leaves_nothing_is_told_with_counts(view, streaming):
    chosen = view(ROWS, filter="n > 99", streaming=streaming)
    error = refused((lambda: list(chosen.since(0))) if streaming else chosen.rows)
    assert (error.code, error.message) == ("MR522", "the filter of `exam` leaves no row: 10 read, 0 left")


def test_no_row_is_told(view):
    assert refused(view([]).rows).message == "there is no row in `exam`"
    assert refused(view([], split=(0.5, 0.5), part="train").rows).code == "MR504"


def test_fewer_groups_than_parts_are_told(view):
    error = refused(view(ROWS[:6], split=(0.8, 0.1, 0.1), part="test", group_by=("kind",)).rows)
    assert (error.code, error.message) == ("MR524", "`exam` has 2 groups of rows for 3 parts")
    assert "`kind`" in (error.help or "")


@pytest.mark.parametrize("kept", [1, 3, 9, 10, 11])
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_split_of_rows_that_are_read_twice_is_the_same(view, monkeypatch, kept, part):
    words = {"split": (0.5, 0.3, 0.2), "part": part, "filter": "n != 4"}
    whole = view(ROWS, **words).rows()
    monkeypatch.setattr("pipeline_dsl.plan.views._KEPT", kept)
    assert view(ROWS, **words).rows() == whole
