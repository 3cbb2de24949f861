"""Paths that are addresses: fetched once, kept, fetched anew when they change."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import fsspec
import pytest

from medrecipe_plugins.data import _drivers, _remote
from medrecipe_plugins.data.csv_rows import Options as TableOptions
from medrecipe_plugins.data.csv_rows import Table
from medrecipe_plugins.data.jsonl import JsonLines, Options
from pipeline_dsl.api import DataError, MachineError

ROWS = b'{"a": 1}\n{"a": 2}\n'


@pytest.fixture
def memory():
    """A store in this process's memory, empty at the end."""
    store = fsspec.filesystem("memory")
    store.pipe_file("/box/rows.jsonl", ROWS)
    yield store
    store.rm("/box", recursive=True)


def fetched(address, say=lambda _: None):
    source = JsonLines(Options(path=address))
    source.prepare(say)
    return source


def closed_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def test_a_file_of_a_store_is_fetched_once_and_its_size_is_said(memory, rows_of):
    said = []
    source = JsonLines(Options(path="memory://box/rows.jsonl"))
    assert (source.here(), source.files()) == (False, ())
    source.prepare(said.append)
    source.prepare(said.append)
    assert said == ["fetching memory://box/rows.jsonl (0.0 MB)"]
    assert source.here()
    assert [path.read_bytes() for path in source.files()] == [ROWS]
    assert rows_of(source, 1) == [{"a": 2}]


def test_rows_have_the_address_as_their_place(memory):
    assert [row.place for row in fetched("memory://box/rows.jsonl").rows()] == [
        f"memory://box/rows.jsonl:{n}" for n in (1, 2)
    ]


def test_what_changed_is_fetched_anew_and_what_did_not_is_not(memory, rows_of):
    source = fetched("memory://box/rows.jsonl")
    old = source.files()
    memory.pipe_file("/box/rows.jsonl", b'{"a": 3}\n')
    assert rows_of(source) == [{"a": 1}, {"a": 2}]
    source.prepare(lambda _: None)
    assert rows_of(source) == [{"a": 3}]
    assert old[0].read_bytes() == ROWS  # whoever reads it may go on


def test_a_file_of_the_web_is_fetched_by_its_tag(web, rows_of):
    web.files["/rows.jsonl"] = ROWS
    said = []
    source = fetched(f"{web.address}/rows.jsonl?key=secret", said.append)
    source.prepare(said.append)
    assert len(said) == 1
    assert "secret" not in said[0]
    web.files["/rows.jsonl"] = b'{"a": 3}\n'
    source.prepare(said.append)
    assert rows_of(source) == [{"a": 3}]


def test_the_ending_of_an_address_says_how_a_table_is_written(web, rows_of):
    web.files["/rows.tsv"] = b"a\tb\n1\t2\n"
    source = Table(TableOptions(path=f"{web.address}/rows.tsv?key=a.csv"))
    source.prepare(lambda _: None)
    assert rows_of(source) == [{"a": "1", "b": "2"}]


def test_without_a_network_what_was_fetched_is_read_and_that_is_said(web, rows_of):
    web.files["/rows.jsonl"] = ROWS
    said = []
    source = fetched(f"{web.address}/rows.jsonl")
    web.files.clear()
    source.prepare(said.append)
    assert rows_of(source) == [{"a": 1}, {"a": 2}]
    assert "there is no such file; what was fetched of it before is read" in said[0]


@pytest.mark.parametrize(
    "path",
    ["http://127.0.0.1:{port}/x.jsonl", "memory://box/none.jsonl", "memory://box", "http://user:word@[bad/x"],
)
def test_what_cannot_be_reached_is_refused_without_secrets(memory, path):
    with pytest.raises(DataError) as caught:
        fetched(path.format(port=closed_port()))
    assert caught.value.code == "MR515"
    assert "word" not in f"{caught.value.message} {caught.value.place} {caught.value.help}"


def test_an_address_that_never_answers_is_given_up_soon(monkeypatch):
    monkeypatch.setattr(_drivers, "PATIENCE_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begin = time.monotonic()
        with pytest.raises(DataError, match="cannot be reached"):
            fetched(f"http://127.0.0.1:{silent.getsockname()[1]}/x.jsonl")
        assert time.monotonic() - begin < 2


def test_a_file_that_did_not_come_whole_is_not_kept(memory):
    remote = _drivers.Remote(size=10, version="v", chunks=lambda _: iter([b"half"]))
    target = _remote.user_cache() / "data" / "x" / "v" / "rows.jsonl"
    with pytest.raises(DataError, match="4 of 10 bytes"):
        _remote._download(remote, target, "name", lambda _: None)
    assert list(target.parent.iterdir()) == []


def test_a_long_download_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(_remote, "_SILENCE_S", -1)
    said = []
    remote = _drivers.Remote(size=None, version="v", chunks=lambda _: iter([b"x" * 100_000] * 3))
    _remote._download(remote, _remote.user_cache() / "rows.jsonl", "name", said.append)
    assert said == ["fetching name", *(f"fetching name: 0.{n} MB are here" for n in (1, 2, 3))]


def test_a_file_that_is_larger_than_the_disk_is_refused_before_it_is_fetched():
    remote = _drivers.Remote(size=10**18, version="v", chunks=lambda _: pytest.fail("fetched"))
    with pytest.raises(MachineError, match="there is room for"):
        _remote._download(remote, _remote.user_cache() / "x", "name", lambda _: None)


def test_a_cache_that_cannot_be_written_is_the_machines_fault(memory, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(MachineError, match="cannot be kept"):
        fetched("memory://box/rows.jsonl")


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"file": "../../x", "bytes": 2}', '{"file": "gone", "bytes": 18}']
)
def test_a_damaged_note_of_what_was_fetched_means_that_it_is_fetched_again(memory, rows_of, damage):
    source = fetched("memory://box/rows.jsonl")
    (note,) = _remote.user_cache().rglob("newest.json")
    note.write_text(damage)
    assert not source.here()
    source.prepare(lambda _: None)
    assert rows_of(source) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("address", "package"), [("gs://box/x.jsonl", "gcsfs"), ("s3://box/x.jsonl", "s3fs")]
)
def test_a_store_without_its_driver_is_known_without_a_network(monkeypatch, address, package):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a network was asked"))
    for act in (JsonLines.here, JsonLines.files, lambda s: s.prepare(print), lambda s: list(s.rows())):
        with pytest.raises(MachineError) as caught:
            act(JsonLines(Options(path=address)))
        assert (caught.value.code, caught.value.exit_code, caught.value.help) == (
            "MR600",
            5,
            f"pip install {package}",
        )


@pytest.mark.parametrize(
    "address", ["ftp://box/x", "file:///etc/passwd", "python://x", "zip://x::https://y/z.zip", "s3://a::b"]
)
def test_other_addresses_are_refused(address):
    with pytest.raises(DataError) as caught:
        JsonLines(Options(path=address)).here()
    assert caught.value.code == "MR515"
    assert "https://" in caught.value.help


def test_rows_that_are_not_fetched_yet_are_refused(memory, refused):
    refused(JsonLines(Options(path="memory://box/rows.jsonl")), "MR515")


def test_the_name_of_a_kept_file_cannot_lead_elsewhere():
    for address in ("https://h/a/..", "https://h/", "https://h/%2e%2e/x%2fy", "s3://b/" + "k" * 500 + ".csv"):
        name = _remote._file_name(address)
        assert Path(name).name == name
        assert len(name) <= 80
