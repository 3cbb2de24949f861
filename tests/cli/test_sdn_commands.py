from __future__ import annotations

import io
import json
import sys

import pytest

TEXT = """\
# 설정
name: 한국어   # kept
"a.b": {c: 1_000, d: "x"}
prompt: "one\\ntwo"
train:
    epochs = 3
    learning_rate: 2e-4
mix |data, weight|
    wiki, 0.9
    wiki, 0.1
    사전, null
last: {}
"""


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.sdn"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("name", "한국어"),
        ("a.b.c", "1000"),
        ('"a.b".d', "x"),
        ("prompt", "one\ntwo"),
        ("train.learning_rate", "0.0002"),
        ("train", "epochs: 3\nlearning_rate: 0.0002"),
        ("mix.1.weight", "0.1"),
        ("mix.사전.weight", "null"),
        ('mix."사전".data', "사전"),
        ("mix.0", "data: wiki\nweight: 0.9"),
        ("mix", "[{data: wiki, weight: 0.9}, {data: wiki, weight: 0.1}, {data: 사전, weight: null}]"),
    ],
)
def test_get_prints_a_value(medrecipe, text, path, shown):
    result = medrecipe("sdn", "get", "a.sdn", path)
    assert (result.code, result.out, result.err) == (0, f"{shown}\n", "")


def test_get_prints_any_value_as_json(medrecipe, text):
    for path, value in {"name": "한국어", "a.b": {"c": 1000, "d": "x"}, "mix.2.weight": None}.items():
        assert json.loads(medrecipe("sdn", "get", "a.sdn", path, "--json").out) == value


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("train.epoch", "did you mean `epochs`?"),
        ("nmae", "did you mean `name`?"),
        ("mix.wiki.weight", "more than one row `wiki`"),
        ("mix.5", "has no `5`"),
        ("name.x", "`name`, text, has no `x`"),
        ('"a".b', "the text, a block, has no `a`"),
    ],
)
def test_get_of_a_path_that_is_not_there_says_how_far_it_leads(medrecipe, text, path, told):
    result = medrecipe("sdn", "get", "a.sdn", path)
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert "error[MR180]" in result.err


@pytest.mark.parametrize("path", ["", ".", "a..b", "a.", '"a', 'a"b"', "\0"])
def test_what_is_no_path_is_a_mistake_of_usage(medrecipe, text, path):
    result = medrecipe("sdn", "get", "a.sdn", path)
    assert result.code == 2
    assert "is no path" in result.err


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("name", "영어 말뭉치", "name: 한국어   # kept", "name: 영어 말뭉치   # kept"),
        ("a.b.c", "7", "1_000", "7"),
        ("train.epochs", "0.50", "epochs = 3", "epochs = 0.50"),
        ("mix.1.weight", "a, b", None, None),
        ("mix.1.weight", '"a, b"', "wiki, 0.1", 'wiki, "a, b"'),
        ("mix.사전.weight", "1", "사전, null", "사전, 1"),
        ("train.seed", "1", "2e-4\n", "2e-4\n    seed: 1\n"),
        ("last.x.y", "1", "last: {}", "last: {x: {y: 1}}"),
        ("train", "null", "train:\n    epochs = 3\n    learning_rate: 2e-4\n", "train: null\n"),
    ],
)
def test_set_changes_the_bytes_of_a_value_alone(medrecipe, text, path, value, old, new):
    result = medrecipe("sdn", "set", "a.sdn", path, value)
    if old is None:
        assert (result.code, text.read_text("utf-8")) == (2, TEXT)
        return
    added = f"a.sdn: `{path}` was not there and is added\n" if path in {"train.seed", "last.x.y"} else ""
    assert (result.code, result.out, result.err) == (0, "", added)
    assert TEXT.count(old) == 1
    assert text.read_bytes() == TEXT.replace(old, new).encode()


def test_set_tells_which_name_a_new_one_may_be_a_slip_of(medrecipe, text):
    result = medrecipe("sdn", "set", "a.sdn", "train.epoch", "5")
    assert result.err == "a.sdn: `train.epoch` was not there and is added; was `train.epochs` meant?\n"


def test_set_keeps_the_mode_the_mark_and_the_line_ends(medrecipe, tmp_path):
    path = tmp_path / "a.sdn"
    path.write_bytes(b"\xef\xbb\xbfa:1\r\nb :  2 \r\n")
    path.chmod(0o600)
    assert medrecipe("sdn", "set", "a.sdn", "b", "3").code == 0
    assert path.read_bytes() == b"\xef\xbb\xbfa:1\r\nb :  3 \r\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_set_to_the_same_writes_nothing(medrecipe, text):
    before = text.stat()
    assert medrecipe("sdn", "set", "a.sdn", "train.epochs", "3").code == 0
    assert (text.stat().st_ino, text.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_set_reads_standard_input_and_writes_standard_output(medrecipe, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a:  1 # c\r\n")))
    assert medrecipe("sdn", "set", "-", "a", "[1, 2]").out == "a:  [1, 2] # c\r\n"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [("mix.0", "{data: x, weight: 1}", "MR181"), ("mix.0.wight", "1", "MR180"), ("mix.9.data", "x", "MR180"), ("name.x", "1", "MR180"), ("name", "[1", "MR140")],
)  # fmt: skip
def test_set_of_what_cannot_be_set_leaves_the_file(medrecipe, text, path, value, code):
    result = medrecipe("sdn", "set", "a.sdn", path, value)
    assert (result.code, result.out) == (2, "")
    assert f"error[{code}]" in result.err
    assert text.read_text("utf-8") == TEXT


def test_check_finds_mistakes_of_notation_alone(medrecipe, text, tmp_path):
    (tmp_path / "b.sdn").write_text("a: 1\na: 2\nb 3\n")
    result = medrecipe("sdn", "check", "a.sdn", "b.sdn", "none.sdn")
    assert (result.code, result.out) == (2, "a.sdn: fine\n")
    assert [code for code in ("MR123", "MR120", "MR101") if f"error[{code}]" not in result.err] == []
    assert medrecipe("sdn", "check", "a.sdn").code == 0


def test_from_json_writes_what_to_json_read(medrecipe, text, tmp_path):
    made = medrecipe("sdn", "to-json", "a.sdn").out
    (tmp_path / "a.json").write_text(made, encoding="utf-8")
    result = medrecipe("sdn", "from-json", "a.json")
    assert (result.code, result.err) == (0, "")
    assert "mix |data, weight|\n    wiki, 0.9\n    wiki, 0.1\n    사전, null\n" in result.out
    (tmp_path / "b.sdn").write_text(result.out, encoding="utf-8")
    assert medrecipe("sdn", "to-json", "b.sdn").out == made
    assert medrecipe("fmt", "--check", "b.sdn").code == 0


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ('{"a": }', "MR105", "1:7"),
        ("", "MR105", "1:1"),
        ('{"a": 1,\n "a": 2}', "MR123", "2:2"),
        ('{"a": 9223372036854775808}', "MR151", "1:7"),
        ('{"a": [1e400]}', "MR152", "1:8"),
        ('{"a": NaN}', "MR106", "1:7"),
        ('{"a": "\\u0000"}', "MR106", "1:1"),
        ('{"a": "\\ud800"}', "MR106", "1:1"),
        ("[1]", "MR106", "1:1"),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "MR113", "1:70"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "MR113", "1:70"),
    ],
)  # fmt: skip
def test_json_that_would_lose_something_is_refused_at_its_place(medrecipe, tmp_path, given, code, place):
    (tmp_path / "a.json").write_text(given)
    result = medrecipe("sdn", "from-json", "a.json")
    assert (result.code, result.out) == (2, "")
    assert f"error[{code}]" in result.err
    assert f"a.json:{place}\n" in result.err
