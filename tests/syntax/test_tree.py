"""Nodes keep their places, comments and styles, for what is built on the tree."""

from __future__ import annotations

import pytest

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax.nodes import Mapping, Scalar, Sequence, Style, Table, TypedTable, plain
from pipeline_dsl.syntax.parser import parse_value

TEXT = """\
# first
a: "x" # second
m: {k: [1, 2]}
t |c, d|
    1, yes
b:
    - 가나: 2e-4
n:
"""


def test_spans_cover_the_spelling(read) -> None:
    root = read(TEXT).root
    assert root.get("a").span.text == '"x"'
    assert root.get("m").span.text == "{k: [1, 2]}"
    assert root.get("m").entry("k").span.text == "k: [1, 2]"
    assert root.get("t").rows[0].span.text == "1, yes"
    assert root.get("t").span.text == "|c, d|\n    1, yes"
    assert root.get("b").items[0].entries[0].key.span.text == "가나"
    assert root.span.text == TEXT


def test_a_missing_value_stands_right_behind_its_sign(read) -> None:
    value = read(TEXT).root.get("n")
    assert (value.value, value.style) == (None, Style.EMPTY)
    assert (value.span.line, value.span.column, value.span.text) == (8, 3, "")


def test_comments_are_kept_with_their_places(read) -> None:
    parsed = read("# a\nb: [ # c\n  1, # d\n] # e\nf: g#h \t# i\n#j\r\n")
    assert [c.text for c in parsed.comments] == ["# a", "# c", "# d", "# e", "# i", "#j"]


def test_comments_around_a_mistake_are_kept_once(read) -> None:
    parsed = read("# a\nb: [1, # c\nd: 2 # e\n")
    texts = [c.text for c in parsed.comments]
    assert texts[0] == "# a"
    assert texts[-1] == "# e"
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a", Style.BARE),
        ('"a"', Style.QUOTED),
        ('"""\na"""', Style.BLOCK),
        ("1", Style.NUMBER),
        ("nil", Style.KEYWORD),
    ],
)
def test_a_scalar_knows_how_it_was_written(text: str, style: Style, read) -> None:
    assert read(f"k: {text}").root.get("k").style is style


def test_tables_keep_their_shape_and_mean_a_list(read) -> None:
    root = read("t |a|\n  1\nu: table{i32} = [(2)]").root
    table, typed = root.get("t"), root.get("u")
    assert isinstance(table, Table)
    assert [c.name for c in table.columns] == ["a"]
    assert isinstance(typed, TypedTable)
    assert [c.name for c in typed.types] == ["i32"]
    assert (plain(table.as_sequence()), plain(typed)) == ([{"a": 1}], [[2]])


def value_of(text: str):
    return parse_value(Source.of("--set", text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a b", "a b"),
        ("", None),
        (" 5 ", 5),
        ("[a, 1]", ["a", 1]),
        ("{a: 1}", {"a": 1}),
        ('"a, b"', "a, b"),
        ("a # b", "a # b"),
        ("loss < 0.01", "loss < 0.01"),
        ('"""\n  a\n  """', "a\n"),
        ("[1,\n2]", [1, 2]),
        ("#1", "#1"),
        ("note: this", "note: this"),
    ],
)
def test_a_value_can_stand_alone(text: str, value: object) -> None:
    node, found = value_of(text)
    assert found == ()
    assert plain(node) == value


@pytest.mark.parametrize("text", ["a, b", "[1", "1\n2", "- a", "+5", '"a" b', "[a # b]", "\0", "|a|"])
def test_a_value_that_cannot_stand_alone_is_refused_with_a_place(text: str) -> None:
    node, found = value_of(text)
    assert node is None
    assert len(found) == 1
    assert found[0].span.source.name == "--set"


def test_kinds_of_nodes(read) -> None:
    root = read("a: 1\nb: []\nc: {}").root
    assert [type(e.value) for e in root] == [Scalar, Sequence, Mapping]
