from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline_dsl.api import MachineError
from pipeline_dsl.run import atomic


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*"))


@pytest.fixture
def broken(monkeypatch):
    """Makes an operation of the system fail, as on a full disk, or end the process."""

    def breaks(operation: str, error: BaseException | None = None) -> None:
        def fail(*_, **__):
            raise error or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        owner = {"fsync": os, "write": os, "replace": Path}[operation]
        monkeypatch.setattr(owner, operation, fail)

    return breaks


def test_a_file_is_replaced_as_a_whole_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "sub" / "a.txt"
    for text in ("one", "한국어 and more"):
        atomic.write_text(path, text)
        assert path.read_text("utf-8") == text
    assert names(tmp_path) == ["a.txt", "sub"]


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_case_56_a_failing_write_leaves_the_old_file_and_says_which(tmp_path, broken, operation):
    path = tmp_path / "a.json"
    atomic.write_json(path, {"old": 1})
    broken(operation)
    with pytest.raises(MachineError) as caught:
        atomic.write_json(path, {"new": 2})
    assert caught.value.exit_code == 5
    assert caught.value.message == f"cannot write {path}: No space left on device"
    assert path.read_text("utf-8") == '{\n  "old": 1\n}\n'
    assert names(tmp_path) == ["a.json"]


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    atomic.write_json(path, 1)
    with pytest.raises(TypeError):
        atomic.write_json(path, {1, 2})
    assert path.read_text("utf-8") == "1\n"


def test_case_58_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot write"):
        atomic.write_text(tmp_path / "file" / "a.txt", "x")


def test_lines_are_appended(tmp_path):
    path = tmp_path / "sub" / "log.jsonl"
    for line in ("one", "두 줄"):
        atomic.append_line(path, line)
    assert path.read_text("utf-8") == "one\n두 줄\n"


def test_a_line_that_the_system_takes_in_parts_is_written_whole(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    atomic.append_line(tmp_path / "log", "a long line of text")
    assert (tmp_path / "log").read_text() == "a long line of text\n"


def test_case_56_a_line_that_cannot_be_written_is_told(tmp_path, broken):
    broken("write")
    with pytest.raises(MachineError, match="No space left"):
        atomic.append_line(tmp_path / "log", "x")


def test_case_56_a_line_of_which_a_part_was_written_is_taken_back(tmp_path, monkeypatch):
    atomic.append_line(tmp_path / "log", "first")
    write, calls = os.write, []

    def half(descriptor, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:3])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(MachineError):
            atomic.append_line(tmp_path / "log", "second")
    atomic.append_line(tmp_path / "log", "third")
    assert (tmp_path / "log").read_text() == "first\nthird\n"


def test_case_72_a_torn_last_line_is_set_aside(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": 2}\n{"c"')
    atomic.mend_lines(path)
    assert path.read_bytes() == b'{"a": 1}\n{"b": 2}\n'
    assert (tmp_path / "log.jsonl.torn").read_bytes() == b'{"c"'
    atomic.append_line(path, "next")
    assert path.read_bytes().splitlines()[-1] == b"next"


@pytest.mark.parametrize("content", [b"", b"whole\n"])
def test_whole_lines_stay_as_they_are(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    atomic.mend_lines(path)
    assert path.read_bytes() == content
    assert names(tmp_path) == ["log.jsonl"]


def test_a_log_that_is_not_there_needs_no_mending(tmp_path):
    atomic.mend_lines(tmp_path / "log.jsonl")
    assert names(tmp_path) == []


def fill(text: str):
    def write(folder: Path) -> None:
        (folder / "a").write_text(text)
        (folder / "sub").mkdir()
        (folder / "sub" / "b").write_text(text)

    return write


def test_a_folder_appears_with_all_of_its_files(tmp_path):
    atomic.make_folder(tmp_path / "x" / "made", fill("one"))
    atomic.make_folder(tmp_path / "x" / "made", fill("two"))
    assert names(tmp_path / "x") == ["a", "b", "made", "sub"]
    assert (tmp_path / "x" / "made" / "sub" / "b").read_text() == "two"


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_a_folder_whose_filling_fails_is_not_there_and_the_old_one_stays(tmp_path, error):
    def half(folder: Path) -> None:
        (folder / "a").write_text("half")
        raise error

    with pytest.raises(type(error)):
        atomic.make_folder(tmp_path / "made", half)
    assert names(tmp_path) == []
    atomic.make_folder(tmp_path / "made", fill("old"))
    with pytest.raises(type(error)):
        atomic.make_folder(tmp_path / "made", half)
    assert names(tmp_path) == ["a", "b", "made", "sub"]
    assert (tmp_path / "made" / "a").read_text() == "old"


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_case_56_a_folder_that_cannot_be_put_in_its_place_leaves_the_old_one(tmp_path, broken, operation):
    atomic.make_folder(tmp_path / "made", fill("old"))
    broken(operation)
    with pytest.raises(MachineError, match="No space left"):
        atomic.make_folder(tmp_path / "made", fill("new"))
    assert (tmp_path / "made" / "a").read_text() == "old"
    assert names(tmp_path) == ["a", "b", "made", "sub"]


def test_what_a_killed_process_left_half_done_is_swept_away(tmp_path):
    (tmp_path / "phases" / ".adapter.123.tmp").mkdir(parents=True)
    (tmp_path / "phases" / ".adapter.123.tmp" / "x").write_text("half")
    (tmp_path / ".plan.json.77.tmp").write_text("half")
    (tmp_path / ".hidden").write_text("somebody's")
    (tmp_path / "plan.json").write_text("whole")
    atomic.sweep(tmp_path)
    assert names(tmp_path) == [".hidden", "phases", "plan.json"]
