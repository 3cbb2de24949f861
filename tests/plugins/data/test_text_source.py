"""The source ``text``: lines, paragraphs, whole files."""

from __future__ import annotations

import unicodedata
from itertools import islice
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrecipe_plugins.data._lines import LONGEST_LINE
from medrecipe_plugins.data.text import Options, PlainText, medrecipe_sources
from pipeline_dsl.testing import SourceContract

POEM = "\n  one\ntwo\r\n\n \t\nthree\n\n\nfour\n\n"


@pytest.fixture
def source(file):
    """Makes a source of a file with this content."""
    return lambda content, unit="line", name="x.txt": PlainText(Options(path=file(content, name), unit=unit))


class TestText(SourceContract):
    provider = medrecipe_sources()[0]
    sample_options: ClassVar = {"path": "x.txt"}

    def source(self, folder):
        (folder / "x.txt").write_text(POEM, encoding="utf-8")
        return PlainText(Options(path=str(folder / "x.txt")))


@pytest.mark.parametrize(
    ("unit", "texts", "lines"),
    [
        ("line", ["  one", "two", "three", "four"], [2, 3, 6, 9]),
        ("paragraph", ["  one\ntwo", "three", "four"], [2, 6, 9]),
        ("file", ["  one\ntwo\n\n \t\nthree\n\n\nfour"], [2]),
    ],
)
@pytest.mark.parametrize("name", ["x.txt", "x.txt.gz"])
def test_a_row_is_a_line_a_paragraph_or_the_file_at_its_first_line(
    source, tmp_path, unit, texts, lines, name
):
    rows = list(source(POEM, unit, name).rows())
    assert [row.row for row in rows] == [{"text": text} for text in texts]
    assert [row.place for row in rows] == [f"{tmp_path / name}:{line}" for line in lines]


@pytest.mark.parametrize("unit", ["line", "paragraph", "file"])
def test_a_file_without_text_has_no_row(rows_of, source, unit):
    assert rows_of(source("", unit)) == rows_of(source("\n \r\n\n", unit)) == []


@pytest.mark.parametrize("unit", ["line", "paragraph", "file"])
def test_a_byte_order_mark_is_no_text_and_nfd_becomes_nfc(rows_of, source, unit):
    assert rows_of(source("\ufeff" + unicodedata.normalize("NFD", "폐렴"), unit)) == [{"text": "폐렴"}]


def test_private_characters_pass(rows_of, source):
    assert rows_of(source("\ue000 \U000f0000")) == [{"text": "\ue000 \U000f0000"}]


@pytest.mark.parametrize(("unit", "what"), [("line", "line"), ("paragraph", "paragraph"), ("file", "file")])
def test_a_document_over_one_megabyte_is_refused_at_its_first_line(refused, source, tmp_path, unit, what):
    long = "y" * (LONGEST_LINE + 1) if unit == "line" else "y" * 1000 + "\n"
    error = refused(source("x\n\n" + long * (1 if unit == "line" else 1100), unit), "MR503")
    assert f"the {what} is longer than 1 MB" in error.message
    assert error.place == f"{tmp_path / 'x.txt'}:{1 if unit == 'file' else 3}"


def test_bytes_that_are_not_utf8_are_named_in_their_line(refused, source, tmp_path):
    error = refused(source(b"one\ntw\xff\n", "paragraph"), "MR503")
    assert (error.place, "byte 3" in error.message) == (f"{tmp_path / 'x.txt'}:2", True)


def test_what_stands_after_the_rows_that_are_asked_for_is_not_read(source):
    assert len(list(islice(source(b"one\n\ntwo\n\n\xff\n", "paragraph").rows(), 2))) == 2


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), max_size=4),
        max_size=12,
    ),
    unit=st.sampled_from(["line", "paragraph", "file"]),
    start=st.integers(0, 12),
)
def test_nothing_is_lost_and_any_start_gives_the_rest(rows_of, tmp_path_factory, lines, unit, start):
    path = tmp_path_factory.mktemp("any") / "x.txt"
    path.write_text("\n".join(["x", *lines]), encoding="utf-8")
    source = PlainText(Options(path=str(path), unit=unit))
    texts = [row["text"] for row in rows_of(source)]
    full = [unicodedata.normalize("NFC", line) for line in ["x", *lines] if line.encode().strip()]
    assert [line for text in texts for line in text.split("\n") if line.encode().strip()] == full
    assert [row["text"] for row in rows_of(source, start)] == texts[start:]
