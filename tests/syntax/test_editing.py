from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax.editing import is_block, with_value
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Sequence, Style, Table, plain
from pipeline_dsl.syntax.parser import parse_value

SETTINGS = settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
VALUES = [
    "7",
    "1e-4",
    "true",
    "null",
    '""',
    "Blue Corp",
    "cuda:0",
    "note: this",
    '"a, b"',
    "한국어",
    "[1, x]",
    "{a: 1}",
    "a # b",
]
chances = st.integers(0, 2**32).map(Random)


def given_value(text: str) -> Node:
    node, _ = parse_value(Source.of("VALUE", text))
    assert node is not None
    return node


def leaves(node: Node, steps: tuple = ()) -> Iterator[tuple[tuple, Node]]:
    """Every value below a node, with the way to it."""
    match node:
        case Mapping():
            children = [(e.key.name, e.value) for e in node.entries]
        case Scalar():
            return
        case Sequence():
            children = list(enumerate(node.items))
        case Table():
            rows = [(n, r.entries) for n, r in enumerate(node.as_sequence().items)]
            yield from (((*steps, n, e.key.name), e.value) for n, row in rows for e in row)
            return
        case _:
            yield from (
                ((*steps, n, m), c) for n, row in enumerate(node.rows) for m, c in enumerate(row.items)
            )
            return
    for step, child in children:
        yield (*steps, step), child
        yield from leaves(child, (*steps, step))


def at(value: object, steps: tuple) -> object:
    for step in steps:
        value = value[step]
    return value


@pytest.mark.parametrize(
    ("text", "steps", "new", "expected"),
    [
        ("a: 1   # one\nb: 2", ("a",), "2", "a: 2   # one\nb: 2"),
        ("a=1\r\nb : x\r\n", ("b",), "y z", "a=1\r\nb : y z\r\n"),
        ("a:\nb:  # c\n", ("b",), "1", "a:\nb: 1  # c\n"),
        ("a: [1, 2 # two\n  , 3]\n", ("a", 1), "x", "a: [1, x # two\n  , 3]\n"),
        ("a: {b: 1 }\n", ("a", "b"), "note: this", 'a: {b: "note: this" }\n'),
        ("a: 1\n", ("a",), "a # b", 'a: "a # b"\n'),
        ("t |a, b|\n  x,\n  y, 2 # c\n", ("t", 1, "b"), "a b", "t |a, b|\n  x,\n  y, a b # c\n"),
        ("t |a, b|\n  x,\n", ("t", 0, "b"), "1", "t |a, b|\n  x, 1\n"),
        ("t |a, b|\n  x, # c\n", ("t", 0, "b"), "1", "t |a, b|\n  x,  1 # c\n"),
        ("m: table{i32} = [(1), (2)]\n", ("m", 1, 0), "3", "m: table{i32} = [(1), (3)]\n"),
        ("a:\n- x\n-\n", ("a", 1), "y", "a:\n- x\n- y\n"),
        ('p: """\n  x\n  """ # c\n', ("p",), '"one\\ntwo"', 'p: "one\\ntwo" # c\n'),
        ("a: # head\n  # in\n  b: 1\n  c: 2 # tail\nd: 3\n", ("a",), "[1]", "a: [1] # head\n  # in\n # tail\nd: 3\n"),
        ("t |a|\n  1\n  2\nb: 1\n", ("t",), "{}", "t: {}\nb: 1\n"),
        ("a:\n - b: 1\n   c: 2\n - d\n", ("a", 0), "x", "a:\n - x\n - d\n"),
        ("a:\n -\n  b: 1\n", ("a", 0), "x", "a:\n - x\n"),
    ],
)  # fmt: skip
def test_a_value_is_set_in_its_place(text: str, steps: tuple, new: str, expected: str, read) -> None:
    assert with_value(read(text), steps, given_value(new)) == expected


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("", ("a",), "a: 9\n"),
        ("# c\n", ("a",), "# c\na: 9\n"),
        ("a = 1", ("b",), "a = 1\nb = 9"),
        ("a:\r\n  b: 1 # c\r\nd: 2\r\n", ("a", "e"), "a:\r\n  b: 1 # c\r\n  e: 9\r\nd: 2\r\n"),
        ("a:\n\tb: 1\n", ("a", "x y"), 'a:\n\tb: 1\n\t"x y": 9\n'),
        ("a: {b = 1}\n", ("a", "c"), "a: {b = 1, c = 9}\n"),
        ("a: {}\n", ("a", "c"), "a: {c: 9}\n"),
        ("a: {\n  b: 1,\n}\n", ("a", "c"), "a: {\n  b: 1, c: 9,\n}\n"),
        ("a:\n- b: 1\n", ("a", 0, "c"), "a:\n- b: 1\n  c: 9\n"),
        ("x:\n\ty: 1\na:\n\t-\tb: 1\n", ("a", 0, "c"), "x:\n\ty: 1\na:\n\t-\tb: 1\n\t\tc: 9\n"),
        ("a:\n  b: 1\n", ("a", "c", "d"), "a:\n  b: 1\n  c: {d: 9}\n"),
        ("a:\n", ("a", "b", "c"), "a: {b: {c: 9}}\n"),
        ('a: """\n  x: 1\n  """\n', ("b",), 'a: """\n  x: 1\n  """\nb: 9\n'),
    ],
)
def test_a_key_that_is_not_there_is_added_behind_the_last(
    text: str, steps: tuple, expected: str, read
) -> None:
    assert with_value(read(text), steps, given_value("9")) == expected


@pytest.mark.parametrize(
    ("text", "steps"), [("t |a, b|\n  1, 2\n", ("t", 0)), ("m: table{a}\n  1\n", ("m", 0))]
)
def test_what_would_change_something_else_is_not_done(text: str, steps: tuple, read) -> None:
    assert with_value(read(text), steps, given_value("[1, 2, 3]")) is None


@given(chances, st.sampled_from(VALUES))
@SETTINGS
def test_setting_any_value_changes_its_bytes_alone(read, document, chance: Random, new: str) -> None:
    parsed = read(document(chance))
    ways = list(leaves(parsed.root))
    if not ways:
        return
    steps, node = chance.choice(ways)
    value = given_value(new)
    text = with_value(parsed, steps, value)
    rows = isinstance(node, Sequence | Mapping)
    assert text is not None or rows, (parsed.source.text, steps)
    if text is None:
        return
    before, after = plain(parsed.root), plain(read(text).root)
    assert repr(at(after, steps)) == repr(plain(value))
    holder = at(after, steps[:-1])
    holder[steps[-1]] = at(before, steps)
    assert repr(after) == repr(before)
    if not (is_block(node) or isinstance(node, Table)) and "\n" not in node.span.text:
        start, end = node.span.start, node.span.end
        whole = parsed.source.text
        written = text[start : len(text) - (len(whole) - end)]
        assert text == whole[:start] + written + whole[end:]
        assert written.strip() or node.style is Style.EMPTY


@given(chances)
@settings(SETTINGS, max_examples=100)
def test_adding_a_key_to_any_mapping_adds_one_line_or_one_pair(read, document, chance: Random) -> None:
    parsed = read(document(chance))
    ways = [((), parsed.root), *leaves(parsed.root)]
    steps, _ = chance.choice([(s, n) for s, n in ways if isinstance(n, Mapping)])
    text = with_value(parsed, (*steps, "new key"), given_value("9"))
    assert text is not None, (parsed.source.text, steps)
    place = next(
        (n for n, (a, b) in enumerate(zip(parsed.source.text, text, strict=False)) if a != b),
        len(parsed.source.text),
    )
    added = len(text) - len(parsed.source.text)
    assert text[:place] + text[place + added :] == parsed.source.text
    assert len(read(text).comments) == len(parsed.comments)
