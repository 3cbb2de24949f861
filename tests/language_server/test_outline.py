from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.language_server.outline import Kind, outline
from pipeline_dsl.language_server.pieces import Role
from pipeline_dsl.language_server.spots import spot
from pipeline_dsl.language_server.symbols import folds, symbols
from pipeline_dsl.syntax.nodes import Mapping, Node, Sequence, Style, Table, TypedTable
from pipeline_dsl.syntax.parser import parse

ROOT = Path(__file__).parent.parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*.sdn"))
README = (ROOT / "pipeline_dsl" / "syntax" / "README.md").read_text("utf-8")
EXAMPLES = [block.partition("```")[0] for block in README.split("```sdn\n")[1:]]
TEXTS = [*(path.read_text("utf-8") for path in RECIPES), *EXAMPLES]


def places(node: Node, path: tuple[str | int, ...] = ()):
    """Every key and value that the parser finds, with its path and offset."""
    if isinstance(node, Mapping):
        for entry in node:
            inner = (*path, entry.key.name)
            if not isinstance(node, Table):
                yield Role.KEY, inner, entry.key.span.start
            yield from places(entry.value, inner)
    elif isinstance(node, Table):
        for i, row in enumerate(node.rows):
            for column, cell in zip(node.columns, row.items, strict=True):
                yield from places(cell, (*path, i, column.name))
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            yield from places(item, (*path, i))
    elif not isinstance(node, TypedTable) and node.style is not Style.EMPTY and node.span.text:
        yield Role.VALUE, path, node.span.start


def read(text: str):
    """The same of the outline."""
    shape = outline(text)
    for index, stem in enumerate(shape.stems):
        if stem.kind in {Kind.ENTRY, Kind.TABLE}:
            yield Role.KEY, shape.path(index), stem.start
        if stem.kind is not Kind.TABLE:
            for piece in shape.pieces(index).found:
                path = (*piece.path, piece.name) if piece.role is Role.KEY else piece.path
                yield piece.role, path, piece.start


@pytest.mark.parametrize("text", TEXTS)
def test_the_outline_finds_what_the_parser_finds(text):
    parsed = parse(Source.of("x", text))
    if not parsed.ok or "table{" in text:
        pytest.skip("a text of the reference that is wrong on purpose, or a typed table, which has no names")
    assert set(places(parsed.root)) == set(read(text))


@pytest.mark.parametrize("end", ["", "\n"])
def test_brackets_texts_and_quotes_may_go_on_below(end):
    text = (
        'a: [1,\n  {b: 2}, # [\n  3]\nb: """\n  c: [\n  """\nc: "x\n  y: 2"\nd |k, l|\n  1, [2,\n   3]\n  4, 5\ne: 1'
        + end
    )
    assert set(places(parse(Source.of("x", text)).root)) == set(read(text))


def test_a_bracket_that_is_never_closed_ends_at_the_next_entry():
    shape = outline("a:\n    b: [1, 2\n    c: 3\nd: 4\n")
    assert [shape.path(i) for i in range(len(shape.stems))] == [("a",), ("a", "b"), ("a", "c"), ("d",)]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_no_cut_of_a_text_and_no_place_in_it_is_too_much(text, data):
    cut = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.text('[]{}"|,:=-# \t\n\r${}가😀a1', max_size=6))
    broken = text[:cut] + junk + (text[cut:] if data.draw(st.booleans()) else "")
    shape = outline(broken)
    for offset in {0, cut, min(cut + len(junk), len(broken)), len(broken)}:
        found = spot(shape, offset)
        assert 0 <= found.start <= found.end <= len(broken)
    symbols(shape)
    assert all(first < last for first, last in folds(shape))


@pytest.mark.parametrize(
    ("marked", "role", "path", "word"),
    [
        ("tra¦in: 1", Role.KEY, (), "train"),
        ("train: ep¦", Role.VALUE, ("train",), "ep"),
        ("train: {epochs: 1, lea¦}", Role.KEY, ("train",), "lea"),
        ("train: {epochs: ¦}", Role.VALUE, ("train", "epochs"), ""),
        ("train: {a: [1, ¦", Role.VALUE, ("train", "a", 1), ""),
        ("train:\n    ¦", Role.KEY, ("train",), ""),
        ("train:\n    ep¦\nseed: 1", Role.KEY, ("train",), "ep"),
        ("train:\n    epochs: 1\n¦", Role.KEY, (), ""),
        ("phases:\n  a:\n    stack |adapter, ro¦le|\n", Role.COLUMN, ("phases", "a", "stack", 0), "role"),
        ("phases:\n  a:\n    stack |adapter, role|\n      k, tr¦", Role.VALUE, ("phases", "a", "stack", 0, "role"), "tr"),
        ("phases:\n  a:\n    stack |adapter, role|\n      k, train\n      ¦", Role.VALUE, ("phases", "a", "stack", 1, "adapter"), ""),
        ("tasks |task, metric|\n  a, {use: x, ma¦x: 1}", Role.KEY, ("tasks", 0, "metric"), "max"),
        ("hooks:\n    - on: st¦op", Role.VALUE, ("hooks", 0, "on"), "stop"),
        ("a: 1  # to¦do", Role.NOTHING, ("a",), ""),
        ("# to¦do", Role.NOTHING, (), ""),
        ("학습:\n    비¦율: 0.1", Role.KEY, ("학습",), "비율"),
    ],
)  # fmt: skip
def test_a_spot_is_found_in_text_that_may_not_parse(marked, role, path, word):
    offset = marked.index("¦")
    found = spot(outline(marked.replace("¦", "")), offset)
    assert (found.role, found.path, found.word) == (role, path, word)
