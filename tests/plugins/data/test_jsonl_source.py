"""The source ``jsonl``: what it reads, and what it says of a file that cannot be read."""

from __future__ import annotations

import json
import unicodedata
from itertools import islice
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrecipe_plugins.data.jsonl import JsonLines, Options, medrecipe_sources
from pipeline_dsl.testing import SourceContract


@pytest.fixture
def source(file):
    """Makes a source of a file with this content."""
    return lambda content, name="rows.jsonl": JsonLines(Options(path=file(content, name)))


class TestJsonl(SourceContract):
    provider = medrecipe_sources()[0]
    sample_options: ClassVar = {"path": "rows.jsonl"}

    def source(self, folder):
        (folder / "rows.jsonl").write_text('{"a": 1}\n\n{"a": [null, "둘"]}\n{"b": {}}\n', encoding="utf-8")
        return JsonLines(Options(path=str(folder / "rows.jsonl")))


def test_rows_are_the_objects_of_the_lines(rows_of, source):
    assert rows_of(source('{"a": 1}\n{"a": "둘"}\n')) == [{"a": 1}, {"a": "둘"}]


def test_a_row_has_the_place_of_its_line(source, tmp_path):
    places = [row.place for row in source('\n{"a": 1}\n\n{"a": 2}').rows()]
    assert places == [f"{tmp_path / 'rows.jsonl'}:{line}" for line in (2, 4)]


def test_a_byte_order_mark_crlf_and_empty_lines_are_no_matter(rows_of, source):
    assert rows_of(source(b'\xef\xbb\xbf{"a": 1}\r\n\r\n \t\r\n{"a": 2}')) == [{"a": 1}, {"a": 2}]


def test_a_compressed_file_is_read_whatever_its_name(rows_of, source, file):
    content = '{"a": 1}\n{"a": 2}\n'
    assert rows_of(source(content, "rows.jsonl.gz")) == [{"a": 1}, {"a": 2}]


def test_what_stands_after_the_rows_that_are_asked_for_is_not_read(source):
    assert [row.row for row in list(islice(source('{"a": 1}\n{"a": 2}\nbroken\n').rows(), 2))] == [
        {"a": 1},
        {"a": 2},
    ]


def test_lines_before_the_start_are_counted_and_not_looked_into(rows_of, source):
    assert rows_of(source('broken\n\n{"a": 2}\n'), 1) == [{"a": 2}]


def test_text_is_normalised_to_nfc_in_values_and_names(rows_of, source):
    parts = unicodedata.normalize("NFD", "폐렴")
    rows = rows_of(source(f'{{"{parts}": ["{parts}", {{"x": "{parts}"}}]}}'))
    assert rows == [{"폐렴": ["폐렴", {"x": "폐렴"}]}]


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_a_file_without_a_row_has_no_row(rows_of, source, content):
    assert rows_of(source(content)) == []


def test_half_a_line_at_the_end_is_told_as_such_and_not_quoted(refused, source, tmp_path):
    error = refused(source('{"a": 1}\n{"a": "secr'), "MR503")
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"
    assert "cut off" in error.help
    assert "secr" not in error.message


@pytest.mark.parametrize(
    "line",
    ["{broken", "[1]", '"text"', "12", "null", '{"a": NaN}', '{"a": "\\ud800"}', '{"\\udc00": 1}', '{"a": ' + "[" * 100_000, '{"a": ' + "1" * 5000 + "}", "\u3000", '{"a": 1, "a": 2}', '{"a": {"e\u0301": 1, "\u00e9": 2}}'],
)  # fmt: skip
def test_a_line_that_is_no_object_is_named(refused, source, tmp_path, line):
    error = refused(source('{"a": 1}\n' + line + "\n"), "MR503")
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"


def test_a_whole_character_from_two_escapes_is_one(rows_of, source):
    assert rows_of(source('{"a": "\\ud83e\\uddb7"}')) == [{"a": "🦷"}]


def test_bytes_that_are_not_utf8_are_named(refused, source, tmp_path):
    error = refused(source(b'{"a": 1}\n{"a": "\xb0\xa1"}\n'), "MR503")
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"
    assert "byte 8" in error.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_of_another_encoding_is_told_what_it_looks_like(refused, source, encoding):
    assert "UTF-16" in refused(source('{"a": "간"}\n'.encode(encoding)), "MR503").help


names = st.text(st.characters(exclude_categories=["Cs", "Mn"]), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.dictionaries(names, values, max_size=3), max_size=6),
    gaps=st.lists(st.booleans()),
    data=st.data(),
)
def test_any_rows_come_back_in_nfc_from_any_start(rows_of, tmp_path_factory, rows, gaps, data):
    path = tmp_path_factory.mktemp("any") / "rows.jsonl"
    blank = [*gaps, *[False] * len(rows)]
    lines = [
        f"{'' if not gap else chr(10)}{json.dumps(row, ensure_ascii=False)}\n"
        for row, gap in zip(rows, blank, strict=False)
    ]
    path.write_bytes("".join(lines).encode())
    start = data.draw(st.integers(0, len(rows) + 1))
    assert rows_of(JsonLines(Options(path=str(path))), start) == nfc(rows[start:])


def nfc(value):
    if isinstance(value, dict):
        return {nfc(name): nfc(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [nfc(inner) for inner in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
