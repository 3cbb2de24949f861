"""The source ``jsonl``: what it reads, and what it says of a file that cannot be read."""

import os
import unicodedata

import pytest

from medrecipe_plugins.data.jsonl import LONGEST_LINE, JsonLines, Options
from pipeline_dsl.api import DataError


@pytest.fixture
def source(tmp_path):
    """Makes a source of a file with this content."""

    def make(content, **options):
        file = tmp_path / "rows.jsonl"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return JsonLines(Options(path=str(file), **options))

    return make


def _refused(source, code):
    with pytest.raises(DataError) as caught:
        source.rows()
    assert caught.value.code == code
    assert caught.value.exit_code == 3
    return caught.value


def test_rows_are_the_objects_of_the_lines(source):
    assert source('{"a": 1}\n{"a": "둘"}\n').rows() == [{"a": 1}, {"a": "둘"}]


def test_a_byte_order_mark_crlf_and_empty_lines_are_no_matter(source):
    assert source(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}').rows() == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("option", "asked", "count"), [(None, None, 5), (2, None, 2), (None, 3, 3), (4, 3, 3), (2, 3, 2)]
)
def test_the_smaller_limit_holds(source, option, asked, count):
    assert len(source('{"a": 1}\n' * 5, limit=option).rows(asked)) == count


def test_what_stands_after_the_limit_is_not_read(source):
    assert source('{"a": 1}\nbroken\n').rows(1) == [{"a": 1}]


def test_mapped_columns_stand_beside_those_of_the_file(source):
    row = source('{"en": "liver", "ko": "간"}', columns={"english": "en", "korean": "ko"}).rows()[0]
    assert row == {"en": "liver", "ko": "간", "english": "liver", "korean": "간"}


def test_text_is_normalised_to_nfc_in_values_and_names(source):
    parts = unicodedata.normalize("NFD", "폐렴")
    row = source(f'{{"{parts}": ["{parts}", {{"x": "{parts}"}}]}}').rows()[0]
    assert row == {"폐렴": ["폐렴", {"x": "폐렴"}]}


def test_files_is_the_one_file(source, tmp_path):
    assert source("").files() == (tmp_path / "rows.jsonl",)


def test_case_21_a_missing_file(tmp_path):
    error = _refused(JsonLines(Options(path=str(tmp_path / "none.jsonl"))), "MR501")
    assert error.place == str(tmp_path / "none.jsonl")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_case_22_no_row(source, content):
    _refused(source(content), "MR504")


def test_case_23_half_a_line_at_the_end(source, tmp_path):
    error = _refused(source('{"a": 1}\n{"a": "secr'), "MR503")
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"
    assert "cut off" in error.help
    assert "secr" not in error.message


def test_case_24_a_mapped_column_that_some_rows_lack_is_counted(source, tmp_path):
    lines = '{"a": 1, "b": 2}\n{"a": 1}\n{"a": 1}\n'
    error = _refused(source(lines, columns={"x": "b"}), "MR505")
    assert "2 of 3 rows" in error.message
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"
    assert "a, b" in error.help


@pytest.mark.parametrize(
    "line",
    ["{broken", "[1]", '"text"', "12", "null", '{"a": NaN}', '{"a": "\\ud800"}', '{"\\udc00": 1}', '{"a": ' + "[" * 100_000, '{"a": ' + "1" * 5000 + "}"],
)  # fmt: skip
def test_a_line_that_is_no_object_is_named(source, tmp_path, line):
    error = _refused(source('{"a": 1}\n' + line + "\n"), "MR503")
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"


def test_a_whole_character_from_two_escapes_is_one(source):
    assert source('{"a": "\\ud83e\\uddb7"}').rows() == [{"a": "🦷"}]


def test_bytes_that_are_not_utf8_are_named(source, tmp_path):
    error = _refused(source(b'{"a": 1}\n{"a": "\xb0\xa1"}\n'), "MR503")
    assert error.place == f"{tmp_path / 'rows.jsonl'}:2"
    assert "byte 8" in error.message


def test_case_34_a_line_over_one_megabyte(source):
    _refused(source('{"a": "' + "x" * LONGEST_LINE + '"}'), "MR503")


def test_case_38_a_folder(tmp_path):
    assert "a folder" in _refused(JsonLines(Options(path=str(tmp_path))), "MR502").message


def test_case_38_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe" in _refused(JsonLines(Options(path=str(tmp_path / "pipe"))), "MR502").message


def test_case_38_a_device_does_not_hang():
    assert "a device" in _refused(JsonLines(Options(path="/dev/zero")), "MR502").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_case_38_an_unreadable_file(source, tmp_path):
    made = source('{"a": 1}')
    (tmp_path / "rows.jsonl").chmod(0)
    _refused(made, "MR502")
