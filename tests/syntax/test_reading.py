from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import pytest

from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.parser import parse
from pipeline_dsl.syntax.reading import MAX_BYTES, read_source


def refused(path: Path | str):
    source, (finding,) = read_source(str(path))
    assert source is None
    assert finding.span is not None
    assert finding.help
    return finding


def written(folder: Path, data: bytes) -> str:
    path = folder / "x.sdn"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    "data", [b"a:\n\tb: 1\n", b"\xef\xbb\xbfa:\n\tb: 1\n", b"a:\r\n\tb: 1\r\n", b"\xef\xbb\xbfa:\r\n\tb: 1"]
)
def test_fault_2_marks_line_ends_and_tabs_change_nothing(data: bytes, tmp_path: Path) -> None:
    source, found = read_source(written(tmp_path, data))
    assert found == ()
    assert plain(parse(source).root) == {"a": {"b": 1}}


def test_fault_3_bytes_that_are_no_utf8_are_refused_with_their_offset(tmp_path: Path) -> None:
    finding = refused(written(tmp_path, "a: 가\nb: ".encode() + b"\xff\n"))
    assert finding.code == Code.NOT_UTF8
    assert "byte 10 (0xff)" in finding.message
    assert (finding.span.line, finding.span.column) == (2, 4)


def test_fault_3_nul_is_refused_with_its_offset(tmp_path: Path) -> None:
    finding = refused(written(tmp_path, b"a: 1\nb\0: 2"))
    assert finding.code == Code.NUL
    assert "byte 6 " in finding.message
    assert (finding.span.line, finding.span.column) == (2, 2)


@pytest.mark.parametrize("data", [b"\xff\xfea\0:\0", b"\xed\xa0\x80", b"\xc0\x80", b"a: \xea\xb0"])
def test_fault_3_other_encodings_are_refused(data: bytes, tmp_path: Path) -> None:
    assert refused(written(tmp_path, data)).code == Code.NOT_UTF8


def test_fault_12_a_large_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "large.sdn"
    with path.open("wb") as stream:
        stream.truncate(10 * 1024 * MAX_BYTES)
    start = time.process_time()
    assert refused(path).code == Code.TOO_LARGE
    assert time.process_time() - start < 1


def test_a_file_of_just_one_mebibyte_is_read(tmp_path: Path) -> None:
    source, found = read_source(written(tmp_path, b"#".ljust(MAX_BYTES, b"x")))
    assert (found, len(source.text)) == ((), MAX_BYTES)


def test_a_missing_file_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none.sdn", tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "x" / "y"):
        assert refused(path).code == Code.UNREADABLE


def test_an_odd_path_is_refused() -> None:
    for path in ("", "a\0b", "x" * 5000):
        assert refused(path).code == Code.UNREADABLE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sdn"
    path.touch(mode=0o000)
    assert refused(path).code == Code.UNREADABLE


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeff이름: 값".encode())))
    source, found = read_source("-")
    assert (source.name, source.text, found) == ("-", "이름: 값", ())


def test_a_mistyped_name_gets_the_nearest_file_beside_it(tmp_path):
    (tmp_path / "korean.sdn").write_text("a: 1\n", encoding="utf-8")
    (tmp_path / "korean").mkdir()
    _, (finding,) = read_source(str(tmp_path / "koraen.sdn"))
    assert finding.help == f"did you mean `{tmp_path / 'korean.sdn'}`?"
    _, (finding,) = read_source(str(tmp_path / "nothing-like-it"))
    assert finding.help == "check the path and its permissions"
