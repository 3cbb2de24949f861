"""Personal data: what looks like it is found, what only has digits is not, and nothing is quoted."""

from __future__ import annotations

import time

import pytest

from pipeline_dsl.api import DataError
from pipeline_dsl.plan.pii import EMAIL, PHONE, RESIDENT, kinds_in


def values(rows):
    return [placed.row["n"] for placed in rows]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("주민번호 900101-1234567 입니다", [RESIDENT]),
        ("900101 - 2234567", [RESIDENT]),
        ("900101－1234567", [RESIDENT]),
        ("000229-3234567", [RESIDENT]),
        ("8203031111110", [RESIDENT]),
        ("901301-1234567", []),
        ("010229-3234567", []),
        ("900101-9234567", []),
        ("9001011234567", []),
        ("900101-1******", []),
        ("1900101-1234567", []),
        ("환자 010-1234-5678", [PHONE]),
        ("01012345678", [PHONE]),
        ("010 123 4567", [PHONE]),
        ("02-123-4567", [PHONE]),
        ("(031) 1234-5678", [PHONE]),
        ("070-1234-5678", [PHONE]),
        ("+82 10-1234-5678", [PHONE]),
        ("+1 (202) 555 0147", [PHONE]),
        ("혈압 120/80, 2019-04-12, 0.1 mg", []),
        ("I10.9 E11.65 20190412", []),
        ("+/- 5 and +10", []),
        ("3.0101234567812", []),
        ("doctor@example.com", [EMAIL]),
        ("a.b+c@sub.example.co.kr.", [EMAIL]),
        ("a @ b, @home, x@y", []),
        ("kim@example.com 010-1234-5678", [PHONE, EMAIL]),
    ],
)
def test_what_looks_like_personal_data_is_found(text, kinds):
    assert list(kinds_in(text)) == kinds


@pytest.mark.parametrize(
    "text", ["1" * 200_000, "a" * 200_000 + "@", "+1 " * 60_000, "a@a." * 50_000, "0" * 9]
)
def test_long_texts_take_no_long_time(text):
    start = time.process_time()
    list(kinds_in(text))
    assert time.process_time() - start < 2


def test_kinds_numbers_and_first_places_are_told_and_no_text(view):
    rows = [
        {"t": "fine"},
        {"t": "010-1234-5678"},
        {"t": ["x", {"u": "a@b.kr and c@d.kr"}]},
        {"t": "02-123-4567"},
    ]
    with pytest.raises(DataError) as caught:
        view(rows, pii="deny").rows()
    assert caught.value.code == "MR520"
    assert caught.value.message == (
        "`exam` must not hold personal data and holds 2 phone numbers (first at f:2), "
        "2 e-mail addresses (first at f:3)"
    )


def test_only_rows_that_are_used_are_looked_at(view):
    rows = [{"n": 1, "t": "fine"}, {"n": 2, "t": "a@b.kr"}, {"n": 3, "t": "fine"}]
    assert values(view(rows, pii="deny", filter="n != 2").rows()) == [1, 3]
    assert values(view(rows, pii="deny", limit=1).rows()) == [1]
    assert values(view(rows).rows()) == [1, 2, 3]


def test_a_stream_ends_at_the_first_row_with_personal_data(view):
    rows = view([{"n": 1}, {"n": 2, "t": "a@b.kr"}, {"n": 3}], pii="deny", streaming=True).since(0)
    assert next(rows).row["n"] == 1
    with pytest.raises(DataError, match=r"1 e-mail address \(first at f:2\)"):
        next(rows)
