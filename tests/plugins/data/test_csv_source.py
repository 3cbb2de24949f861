"""The source ``csv``: RFC 4180 as people's programs write it."""

from __future__ import annotations

import csv
import io
import unicodedata
from itertools import islice
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrecipe_plugins.data.csv_rows import Options, Table, medrecipe_sources
from pipeline_dsl.testing import SourceContract


@pytest.fixture
def source(file):
    """Makes a source of a file with this content."""
    return lambda content, name="rows.csv", **options: Table(Options(path=file(content, name), **options))


class TestCsv(SourceContract):
    provider = medrecipe_sources()[0]
    sample_options: ClassVar = {"path": "rows.csv"}

    def source(self, folder):
        (folder / "rows.csv").write_text('a,b\n1,"two\nlines"\n\n3,\n"",간\n', encoding="utf-8")
        return Table(Options(path=str(folder / "rows.csv")))


def test_cells_are_text_under_the_names_of_the_header(rows_of, source):
    assert rows_of(source("n,term\n1,간\n02,\n")) == [{"n": "1", "term": "간"}, {"n": "02", "term": ""}]


def test_quotes_hold_delimiters_quotes_and_line_ends(rows_of, source):
    rows = rows_of(source('a,b\r\n"1,5","say ""ah"""\r\n"two\r\nlines",x\r\n'))
    assert rows == [{"a": "1,5", "b": 'say "ah"'}, {"a": "two\r\nlines", "b": "x"}]


def test_a_row_has_the_place_of_its_first_line(source, tmp_path):
    places = [row.place for row in source('a\n"1\n2\n3"\n\n4\n').rows()]
    assert places == [f"{tmp_path / 'rows.csv'}:{line}" for line in (2, 6)]


@pytest.mark.parametrize(
    ("name", "delimiter", "sign"),
    [("x.csv", "auto", ","), ("x.tsv", "auto", "\t"), ("x.TSV", "auto", "\t"), ("x.tab.gz", "auto", "\t"), ("x.txt", "auto", ","), ("x.csv", "semicolon", ";"), ("x.csv", "pipe", "|"), ("x.csv", "tab", "\t"), ("x.tsv", "comma", ",")],
)  # fmt: skip
def test_the_delimiter_follows_the_file_s_ending_or_is_said(rows_of, source, name, delimiter, sign):
    content = sign.join(["a", "b"]) + "\n" + sign.join(["1", "2"]) + "\n"
    assert rows_of(source(content, name, delimiter=delimiter)) == [{"a": "1", "b": "2"}]


def test_a_byte_order_mark_is_no_part_of_the_first_name(rows_of, source):
    assert rows_of(source("\ufeffa,b\n1,2\n")) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("content", ["", "\n", "a,b\n", "a,b"])
def test_a_file_without_a_row_has_no_row(rows_of, source, content):
    assert rows_of(source(content)) == []


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("a,b\n1,2\n3\n", 3, "has 1 cell, the header 2 columns"),
        ('a,b\n"1\n1",2\n3,4,5\n', 4, "has 3 cells, the header 2 columns"),
        ('a,b\n1,2\n"3,4\n5,6\n', 3, "never closed"),
        ('a,b\n"1"x,2\n', 2, "after a closing quote"),
        ("a\n" + "x" * 200_000 + "\n", 2, "longer than"),
        ("a,b\n1\r2,3\n", 2, "carriage return"),
        ("a,,c\n1,2,3\n", 1, "column 2 of the header has no name"),
        ("a,b,a\n1,2,3\n", 1, "columns 1 and 3"),
        ("a,e\u0301,\u00e9\n1,2,3\n", 1, "columns 2 and 3"),
    ],
)
def test_what_is_no_table_is_refused_at_the_line_where_its_row_begins(
    refused, source, tmp_path, content, line, says
):
    error = refused(source(content), "MR508")
    assert error.place == f"{tmp_path / 'rows.csv'}:{line}"
    assert says in error.message


@pytest.mark.parametrize(
    ("content", "line"), [(b"a,b\n1,\xb0\xa1\n", 2), (b"a\n1\n\x00\n", 3), (b'a\n"1\n\xff"\n', 3)]
)
def test_bytes_that_are_not_utf8_and_nul_are_named(refused, source, tmp_path, content, line):
    assert refused(source(content), "MR503").place == f"{tmp_path / 'rows.csv'}:{line}"


def test_a_row_over_very_many_lines_ends_at_the_cap(refused, source):
    content = "a\n" + '"' + '\n","' * 300_000
    assert "longer than 1 MB" in refused(source(content), "MR503").message


def test_what_stands_after_the_rows_that_are_asked_for_is_not_read(source):
    assert len(list(islice(source("a,b\n1,2\n3,4\nragged\n").rows(), 2))) == 2


names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5
).filter(str.strip)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=80, deadline=None)
@given(
    header=st.lists(names, min_size=1, max_size=4, unique_by=lambda n: unicodedata.normalize("NFC", n)),
    data=st.data(),
)
def test_any_table_that_python_writes_comes_back_in_nfc_from_any_start(
    rows_of, tmp_path_factory, header, data
):
    if header[0].startswith("\ufeff"):
        header[0] = "first"  # a byte-order mark is not text
    table = data.draw(st.lists(st.tuples(*[cells] * len(header)), max_size=6))
    delimiter, name = data.draw(
        st.sampled_from([("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|")])
    )
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=name).writerows([header, *table])
    path = tmp_path_factory.mktemp("any") / "rows.csv"
    path.write_bytes(written.getvalue().encode())
    start = data.draw(st.integers(0, len(table) + 1))
    columns = [unicodedata.normalize("NFC", n) for n in header]
    expected = [
        dict(zip(columns, (unicodedata.normalize("NFC", c) for c in row), strict=True)) for row in table
    ]
    assert rows_of(Table(Options(path=str(path), delimiter=delimiter)), start) == expected[start:]
