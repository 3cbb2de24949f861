"""Faults 21 to 23, 34, 35, 38 and 40: files of data that are missing, empty, broken, odd, or no files at all."""

from __future__ import annotations

import gzip
import json
import os
import sys
import unicodedata
import zlib

import pytest

from medrecipe_plugins.data import _file
from medrecipe_plugins.data.csv_rows import Options as TableOptions
from medrecipe_plugins.data.csv_rows import Table
from medrecipe_plugins.data.json_objects import JsonObjects
from medrecipe_plugins.data.json_objects import Options as ObjectsOptions
from medrecipe_plugins.data.jsonl import JsonLines, Options
from medrecipe_plugins.data.text import Options as TextOptions
from medrecipe_plugins.data.text import PlainText
from pipeline_dsl.api import DataError

SECRET = "canary-4711"
USE = "{use: jsonl, path: texts.jsonl}"


@pytest.fixture
def refuses(bench, recipe):
    """Returns a function that checks a recipe on a file of data with one fault."""

    def check(content, code, *, says="", name="data.jsonl", use="jsonl", line=None, **more):
        files = {} if content is None else {name: content}
        text = recipe.replace(USE, f"{{use: {use}, path: {name}}}")
        at = f"r.sdn:7:{len('    texts: {use: , path: ') + len(use) + 1}"
        found = bench.refuses(text, code=code, says=says, exit_code=3, within=5, files=files, at=at, **more)
        assert SECRET not in str(found)
        place = f"{bench.folder / name}" + (f":{line}" if line else "")
        assert f"({place})" in found["message"]
        return found

    return check


@pytest.fixture
def accepts(bench, recipe):
    """Returns a function that checks a recipe on a file of data without a fault."""

    def check(content, name="data.jsonl", use="jsonl"):
        bench.accepts(recipe.replace(USE, f"{{use: {use}, path: {name}}}"), files={name: content})

    return check


@pytest.mark.parametrize("use", ["jsonl", "json", "csv", "text", "parquet"])
def test_fault_21_a_missing_file_is_refused(refuses, use):
    found = refuses(None, "MR501", use=use, says="does not exist")
    assert "relative to the file" in found["help"]


def test_fault_21_an_address_that_nothing_here_can_fetch_is_the_machine_s_fault(bench, recipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    text = recipe.replace("path: texts.jsonl", 'path: "s3://box/texts.jsonl"')
    found = bench.refuses(text, code="MR600", exit_code=5, says="`s3://` needs s3fs", at="r.sdn:7:31")
    assert found["help"] == "pip install s3fs"


def test_fault_21_an_address_of_no_known_kind_is_refused_without_its_secrets(bench, recipe):
    text = recipe.replace("path: texts.jsonl", f'path: "ftp://box/texts.jsonl?{SECRET}"')
    found = bench.refuses(text, code="MR515", exit_code=3, says="`ftp://` cannot be fetched", at="r.sdn:7:18")
    assert SECRET not in found["message"] + found["help"]


def test_fault_21_an_address_that_is_not_fetched_yet_is_no_fault_of_a_check(bench, recipe):
    bench.accepts(recipe.replace("path: texts.jsonl", 'path: "https://127.0.0.1:9/texts.jsonl"'))


@pytest.mark.parametrize(
    ("use", "content"),
    [
        ("jsonl", ""),
        ("jsonl", "\n \n"),
        ("json", ""),
        ("json", " [\n]\n"),
        ("csv", ""),
        ("csv", "text\n"),
        ("text", " \n\n"),
    ],
)
def test_fault_22_a_file_without_a_row_is_refused(bench, recipe, use, content):
    text = recipe.replace(USE, f"{{use: {use}, path: data.x}}")
    bench.refuses(text, code="MR504", exit_code=3, files={"data.x": content})


def test_fault_23_half_a_line_at_the_end_is_refused_at_its_line(refuses):
    found = refuses(f'{{"text": "whole"}}\n{{"text": "{SECRET}', "MR503", says="not JSON", line=2)
    assert "cut off" in found["help"]


@pytest.mark.parametrize(
    ("end", "column"),
    [("", 19), (",", 20), (f', {{"text": "{SECRET}', 21), (', {"text"', 21), (', {"text": 1}', 32)],
)
def test_fault_23_a_list_without_its_end_is_refused_where_it_breaks_off(refuses, end, column):
    whole = '[{"text": "whole"}'
    found = refuses(f"{whole}{end}", "MR503", use="json", says="the file ends within", line=f"1:{column}")
    assert "copied as a whole" in found["help"]


def test_fault_23_a_compressed_file_that_is_cut_off_is_refused(refuses):
    whole = gzip.compress(os.urandom(5000).hex().encode())
    refuses(whole[: len(whole) // 2], "MR509", says="not copied as a whole")


@pytest.mark.parametrize("line", [r'{"text": "a\ud83e"}', r'{"a\udc00": 1}', r'{"text": ["\udd37\ud83e"]}'])
def test_fault_34_half_of_a_character_is_refused(refuses, line):
    refuses(f"{line}\n", "MR503", says="half of a character", line=1)


def test_fault_34_decomposed_and_private_characters_are_accepted(accepts, bench):
    accepts('{"text": "' + unicodedata.normalize("NFD", "폐렴") + '\ue000\U000f0000"}\n')
    source = JsonLines(Options(path=str(bench.folder / "data.jsonl")))
    assert [placed.row for placed in source.rows()] == [{"text": "폐렴\ue000\U000f0000"}]


@pytest.mark.parametrize("use", ["jsonl", "json", "csv", "text"])
def test_fault_34_a_line_over_one_megabyte_is_refused(refuses, use):
    first = "text\n" if use == "csv" else ""
    line = '{"text": "' + "x" * (1 << 20) + '"}'
    refuses(
        f"{first}{line}\n",
        "MR503",
        use=use,
        says="longer than 1 MB",
        line={"csv": 2, "json": "1:1"}.get(use, 1),
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp949"])
def test_fault_34_a_list_that_is_not_utf_8_is_refused_at_its_byte(refuses, encoding):
    found = refuses('[{"text": "간"}]'.encode(encoding), "MR503", use="json", says="of the file is ")
    assert ("UTF-16" in found["help"]) == encoding.startswith("utf-16")


@pytest.mark.parametrize("use", ["jsonl", "csv", "text"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp949"])
def test_fault_34_a_file_that_is_not_utf_8_is_refused_at_its_byte(refuses, use, encoding):
    found = refuses('{"text": "간"}\n'.encode(encoding), "MR503", use=use, says="byte ", line=1)
    assert "save the file as UTF-8" in found["help"]
    assert ("UTF-16" in found["help"]) == encoding.startswith("utf-16")


def test_fault_35_quotes_and_embedded_line_ends_are_read_as_they_are_meant(accepts, bench):
    accepts('n,text\r\n1,"two\r\nlines, and ""quotes"""\r\n2,plain\r\n', "data.csv", "csv")
    rows = [placed.row["text"] for placed in Table(TableOptions(path=str(bench.folder / "data.csv"))).rows()]
    assert rows == ['two\r\nlines, and "quotes"', "plain"]


@pytest.mark.parametrize(
    ("rows", "says", "line"),
    [
        (f"1,{SECRET}\n2,b,{SECRET}\n", "has 3 cells, the header 2 columns", 3),
        (f'1,"a\nb"\n{SECRET}\n', "has 1 cell, the header 2 columns", 4),
        (f'1,a\n2,"{SECRET}\n3,c\n', "never closed", 3),
        (f'1,"a" {SECRET}\n', "after a closing quote", 2),
    ],
)
def test_fault_35_a_row_that_does_not_fit_is_refused_at_the_line_where_it_begins(refuses, rows, says, line):
    refuses(f"n,text\n{rows}", "MR508", use="csv", name="data.csv", says=says, line=line)


@pytest.mark.parametrize("use", ["jsonl", "json", "csv", "text", "parquet"])
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a device"])
def test_fault_38_what_is_no_file_is_refused_and_never_waited_for(bench, refuses, use, kind):
    path = bench.folder / "data.x"
    {
        "a folder": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
        "a device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()
    refuses(None, "MR502", use=use, name="data.x", says=f"is {kind}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_fault_38_an_unreadable_file_is_refused(bench, refuses):
    bench.write("data.jsonl", '{"text": "x"}\n').chmod(0)
    refuses(None, "MR502", says="cannot be read")


BOMBS = {
    "one endless line": b"\0" * (1 << 20),
    "endless text": b"x" * (1 << 20),
    "empty lines": b"\n" * (1 << 20),
    "rows": b'{"text": "%b"}\n' % (b"x" * 100) * 9_000,
    "one endless list": b'[{"text": "x"},' * 70_000,
}


@pytest.mark.parametrize("piece", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("source", ["jsonl", "json", "csv", "text"])
def test_fault_40_a_gzip_bomb_ends_at_the_cap(bench, source, piece, monkeypatch):
    """Two gigabytes in two megabytes, of which one row after the other is read, up to some two megabytes here."""
    monkeypatch.setattr(_file, "FREELY_UNPACKED", 1 << 18)
    path = str(bench.write("data.gz", bomb(piece, 2048)))
    made = {
        "jsonl": lambda: JsonLines(Options(path=path)),
        "json": lambda: JsonObjects(ObjectsOptions(path=path)),
        "csv": lambda: Table(TableOptions(path=path, delimiter="pipe")),
        "text": lambda: PlainText(TextOptions(path=path)),
    }[source]()
    with pytest.raises(DataError) as caught:
        sum(1 for _ in made.rows())
    assert caught.value.code in {"MR503", "MR509"}
    assert caught.value.exit_code == 3


def test_fault_40_a_check_refuses_a_gzip_bomb_at_once(bench, recipe):
    files = {"data.jsonl.gz": bomb(BOMBS["empty lines"], 2048)}
    outcome = bench.check(recipe.replace(USE, "{use: jsonl, path: data.jsonl.gz}"), files=files)
    (found,) = json.loads(outcome.out)["diagnostics"]
    assert (outcome.code, found["code"]) == (3, "MR509")
    assert "more than 200 times as large" in found["message"]
    assert outcome.idle_seconds < 5


def test_fault_40_text_that_repeats_itself_is_no_bomb(accepts):
    accepts(gzip.compress(b'{"text": "x"}\n' * 100_000), "data.jsonl.gz")


def bomb(piece: bytes, times: int) -> bytes:
    """A gzip file that becomes ``times`` pieces, without those ever being in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + middle * times
