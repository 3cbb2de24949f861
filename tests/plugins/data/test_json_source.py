"""The source ``json``: one list of objects or one after another, and what it says of a file that is neither."""

from __future__ import annotations

import json
import unicodedata
from itertools import islice
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrecipe_plugins.data.json_objects import JsonObjects, Options, medrecipe_sources
from pipeline_dsl.testing import SourceContract

CHUNK = 1 << 16


@pytest.fixture
def source(file):
    """Makes a source of a file with this content."""
    return lambda content, name="rows.json": JsonObjects(Options(path=file(content, name)))


class TestJson(SourceContract):
    provider = medrecipe_sources()[0]
    sample_options: ClassVar = {"path": "rows.json"}

    def source(self, folder):
        (folder / "rows.json").write_text('[{"a": 1},\n {"a": [null, "둘"]}, {"b": {}}]', encoding="utf-8")
        return JsonObjects(Options(path=str(folder / "rows.json")))


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1}, {"a": "둘"}]',
        '[\n  {\n    "a": 1\n  },\n  {\n    "a": "둘"\n  }\n]\n',
        '\ufeff\r\n[\t{"a":1}\r\n,{"a":"둘"} ] \n',
        '{"a": 1}\n{"a": "둘"}\n',
        '{"a": 1}{"a":\n"둘"}',
    ],
)
def test_rows_are_the_objects_of_a_list_or_those_that_stand_one_after_another(rows_of, source, content):
    assert rows_of(source(content)) == [{"a": 1}, {"a": "둘"}]


@pytest.mark.parametrize("content", ["", " \n", "\ufeff", "[]", "[ \n ]\n"])
def test_a_file_without_a_row_has_no_row(rows_of, source, content):
    assert rows_of(source(content)) == []


def test_a_row_has_the_place_where_it_begins(source, tmp_path):
    places = [row.place for row in source('[{"a": "가\\n"}, {"a":\n2},\n  {"a": 3}]').rows()]
    assert places == [f"{tmp_path / 'rows.json'}:{place}" for place in ("1:2", "1:16", "3:3")]


def test_a_compressed_file_is_read(rows_of, source):
    assert rows_of(source('[{"a": 1}]', "rows.json.gz")) == [{"a": 1}]


def test_text_is_normalised_to_nfc_in_values_and_names(rows_of, source):
    parts = unicodedata.normalize("NFD", "폐렴")
    assert rows_of(source(f'[{{"{parts}": ["{parts}"]}}]')) == [{"폐렴": ["폐렴"]}]


def test_what_stands_after_the_rows_that_are_asked_for_is_not_read(source):
    assert [row.row for row in islice(source('[{"a": 1}, {"a": 2}, broken').rows(), 2)] == [
        {"a": 1},
        {"a": 2},
    ]


@pytest.mark.parametrize("before", range(CHUNK - 30, CHUNK + 2))
def test_a_row_is_whole_wherever_the_pieces_end_in_which_the_file_is_read(rows_of, source, before):
    row = {"n": -12.5e-3, "b": [True, None], "text": '간 \U0001f9b7 \\ "'}
    text = json.dumps(row) if before % 2 else json.dumps(row, ensure_ascii=False)
    assert rows_of(source(f"[{' ' * (before - 1)}{text},{text}]")) == [row, row]


@pytest.mark.parametrize(
    ("content", "place", "says"),
    [
        ('[{"a": 1}\n {"a": 2}]', ":2:2", "neither a comma nor the end"),
        ('[{"a": 1}, ]', ":1:12", "a bracket stands where a row"),
        ('[{"a": 1},, {"a": 2}]', ":1:11", "a comma stands where a row"),
        ('[{"a": 1}, "secret"]', ":1:12", "a text stands where a row"),
        ("[[1]]", ":1:2", "a list stands where a row"),
        ("[12]", ":1:2", "a number stands where a row"),
        ('[{"a": 1}] {"a": 2}', ":1:12", "behind the list"),
        ('{"a": 1},{"a": 2}', ":1:9", "a comma stands where a row"),
        ('"secret"', ":1:1", "neither a list nor an object"),
        ('[\n{"a": secret}]', ":2:7", "not JSON: Expecting value"),
        ('[{"a": }]', ":1:8", "not JSON: Expecting value"),
        ('[{"a": 1 "b": 2}' + ", {}" * CHUNK + "]", ":1:10", "not JSON: Expecting ',' delimiter"),
        ('[{"a": "two\nlines"}]', ":1:12", "not JSON: Invalid control character"),
        ('[{"a": NaN}]', ":1:2", "NaN is not a JSON number"),
        ('[{"a": 1, "a": 2}]', ":1:2", "one name twice"),
        ('[{"e\u0301": 1, "\u00e9": 2}]', ":1:2", "one name twice"),
        ('[{"a": "\\ud800"}]', ":1:2", "half of a character"),
        ('[{"a": ' + "[" * 100_000 + "]}", ":1:2", "not JSON that can be read"),
        ('[{"a": ' + "1" * 5000 + "}]", ":1:2", "not JSON that can be read"),
        ('[{"a": "' + "간" * 400_000 + '"}]', ":1:2", "longer than 1 MB"),
        ('[{"a": "' + "x" * 2_000_000, ":1:2", "longer than 1 MB"),
        ('[{"a": "secr', ":1:2", "ends within the row"),
        ('[{"a": tr', ":1:8", "not JSON"),
        ("[", ":1:2", "ends within the list"),
    ],
)
def test_what_is_no_list_of_objects_is_named_where_it_is_not(refused, source, tmp_path, content, place, says):
    error = refused(source(content), "MR503")
    assert error.place == f"{tmp_path / 'rows.json'}{place}"
    assert says in error.message
    assert "secr" not in error.message + error.help


def test_bytes_that_are_not_utf8_are_named(refused, source):
    assert (
        "byte 8 of the file is not" in refused(source(b'[{"a": "\xb0\xa1"}]'[:7] + b"\xb0]"), "MR503").message
    )
    far = b"[" + b" " * (CHUNK - 3) + "간".encode()[:2] + b"]"  # begins in one piece, breaks off in the next
    assert f"byte {CHUNK - 1} of the file is not" in refused(source(far), "MR503").message


names = st.text(st.characters(exclude_categories=["Cs", "Mn"]), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.dictionaries(names, values, max_size=3), max_size=6),
    indent=st.none() | st.integers(0, 3),
    ascii_=st.booleans(),
    data=st.data(),
)
def test_any_list_comes_back_in_nfc_from_any_start(rows_of, tmp_path_factory, rows, indent, ascii_, data):
    path = tmp_path_factory.mktemp("any") / "rows.json"
    path.write_bytes(json.dumps(rows, indent=indent, ensure_ascii=ascii_).encode("utf-8", "replace"))
    start = data.draw(st.integers(0, len(rows) + 1))
    assert rows_of(JsonObjects(Options(path=str(path))), start) == nfc(rows[start:])


def nfc(value):
    if isinstance(value, dict):
        return {nfc(name): nfc(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [nfc(inner) for inner in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
