from __future__ import annotations

import pytest

from pipeline_dsl.syntax.machine import RecordError, read_record, write_record
from pipeline_dsl.syntax.nodes import plain

RECORD = {
    "run": "20260412-120000",
    "status": "한글 상태",
    "loss": 1.25,
    "steps": 3,
    "done": True,
    "parent": None,
    "metrics": {"exam.accuracy": 0.5, "b": [1, -2.5e-7, []]},
    "note": 'a\nb\t"c"\\d\x01\u2028',
    "odd key": {},
}
TEXT = write_record(RECORD)


def test_a_record_reads_as_it_was_written() -> None:
    assert read_record(TEXT) == RECORD
    assert repr(read_record(TEXT)) == repr(RECORD)


def test_a_record_is_a_text_of_the_notation(read) -> None:
    value = plain(read(TEXT).root)
    assert value.pop("checksum").startswith("crc32:")
    assert repr(value) == repr(RECORD)


def test_an_empty_record_reads_as_empty() -> None:
    assert read_record(write_record({})) == {}


def test_every_flipped_character_is_noticed() -> None:
    for place, char in enumerate(TEXT):
        with pytest.raises(RecordError) as raised:
            read_record(TEXT[:place] + chr(ord(char) ^ 1) + TEXT[place + 1 :])
        assert 1 <= raised.value.line <= TEXT.count("\n") + 1


def test_every_cut_is_noticed() -> None:
    for end in range(len(TEXT)):
        with pytest.raises(RecordError):
            read_record(TEXT[:end])


@pytest.mark.parametrize("extra", ["\n", "a: 1\n", " ", TEXT])
def test_something_after_the_checksum_is_noticed(extra: str) -> None:
    with pytest.raises(RecordError):
        read_record(TEXT + extra)


def test_a_damaged_line_is_named() -> None:
    with pytest.raises(RecordError) as raised:
        read_record(TEXT.replace("loss: 1.25", "loss: 1.2x"))
    assert raised.value.line == 3


@pytest.mark.parametrize(
    "text", ["", "\0", "a: " + "[" * 100_000, "\ud800", "checksum: ", 'checksum: "crc32:00000000"', "a: 1\n"]
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        read_record(text)


@pytest.mark.parametrize(
    "record",
    [
        {"checksum": 1},
        {"a": "\0"},
        {"a": "\ud800"},
        {"a": float("nan")},
        {"a": [float("-inf")]},
        {"a": 2**63},
        {"\u00e9": 1, "e\u0301": 2},
    ],
)
def test_what_the_notation_cannot_hold_is_not_written(record: dict) -> None:
    with pytest.raises(ValueError):
        write_record(record)


def test_nesting_past_the_limit_is_not_written() -> None:
    value: list = []
    for _ in range(70):
        value = [value]
    with pytest.raises(ValueError, match="64"):
        write_record({"a": value})
