from __future__ import annotations

import json
import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.syntax.json_text import from_json
from pipeline_dsl.syntax.machine import read_record, write_record
from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.parser import parse, parse_value
from pipeline_dsl.syntax.render import render, render_value

RECIPE = """\
# Korean medical MedGemma.
recipe: medgemma_korean
tags = [korean, "medical, law", 2e-4]
model:
    use: causal_lm
    name: google/medgemma-4b-it
adapters:
    korean:
        use: lora
        target_modules = [
            q_proj,   # query
            v_proj,
        ]
prompt: \"\"\"
    다음 질문에 답하세요.
      {question}
    \"\"\"
phases:
    plain_text:
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            wiki, plain_text, 0.9     # replay
            "dict", , null
        train: {epochs: 1, learning_rate: 2e-4}
    eval:
    - name: x
      limit: 5
    - m: table{f64, f64} = [(1, 2), (3, 4)]
"""
SETTINGS = settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

PIECES = [
    *"ab1.-_ #\"\\\n\n\n\t:=[]{}()|,$'\r가а\u0301\u200b\u00a0\0",
    *(
        "a: ",
        "  ",
        "    ",
        "- ",
        '"""',
        '"""\n',
        "t |a, b|\n",
        "table{a}",
        "[s]",
        "\n    ",
        "\r\n",
        "${a}",
        "1e",
    ),
]
text_of_pieces = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
strings = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text(st.sampled_from(list("ab10.-+_ #\"\\\n\t\r,:=[]{}()|$/가é\u0301а'<>eE")), max_size=10),
    st.sampled_from(
        ["table", "true", "-", "- x", "|", ">", "x: y", "a = b", "${a}", "http://x", "1e5", "+1"]
    ),
)
keys = strings.map(lambda key: unicodedata.normalize("NFC", key))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    strings,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=10,
)
records = st.dictionaries(keys, values, max_size=4)


@given(records)
@SETTINGS
def test_every_value_that_is_written_reads_the_same(value: dict) -> None:
    text = render(value)
    parsed = parse(Source.of("x", text))
    assert parsed.ok, (text, parsed.diagnostics)
    assert repr(plain(parsed.root)) == repr(value)


rows = st.lists(keys, min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, scalars)), max_size=4)
)


@given(st.dictionaries(keys, st.one_of(rows, values), max_size=3))
@SETTINGS
def test_every_value_that_is_written_with_tables_reads_the_same(value: dict) -> None:
    text = render(value, tables=True)
    parsed = parse(Source.of("x", text))
    assert parsed.ok, (text, parsed.diagnostics)
    assert repr(plain(parsed.root)) == repr(value)


@given(st.dictionaries(keys, st.one_of(rows, values), max_size=3))
@SETTINGS
def test_json_reads_the_same_as_a_text_of_it(value: dict) -> None:
    text, found = from_json(Source.of("x", json.dumps(value)))
    assert found == ()
    assert repr(plain(parse(Source.of("x", text)).root)) == repr(value)


@given(values)
@SETTINGS
def test_every_value_can_be_given_on_the_command_line(value: object) -> None:
    node, _ = parse_value(Source.of("--set", render_value(value)))
    assert node is not None
    assert repr(plain(node)) == repr(value)


@given(records)
@SETTINGS
def test_the_grammar_reads_every_machine_written_record(record: dict) -> None:
    record.pop("checksum", None)
    text = write_record(record)
    parsed = parse(Source.of("x", text))
    assert parsed.ok, (text, parsed.diagnostics)
    value = plain(parsed.root)
    value.pop("checksum")
    assert repr(value) == repr(record) == repr(read_record(text))


def assert_read_whole(text: str) -> None:
    """Nothing raises, every finding has a place, and nothing is refused without a specific reason."""
    parsed = parse(Source.of("x", text))
    plain(parsed.root)
    for finding in (*parsed.diagnostics, *parse_value(Source.of("x", text))[1]):
        assert finding.span is not None
        assert finding.span.line >= 1
        assert finding.span.column >= 1
        assert finding.code != "MR190", (text, finding)
        assert finding.help
    for comment in parsed.comments:
        assert comment.text.startswith("#")
        assert "\n" not in comment.text


@given(text_of_pieces)
@settings(SETTINGS, max_examples=400)
def test_no_text_raises(text: str) -> None:
    assert_read_whole(text)


@given(st.text(max_size=60))
@SETTINGS
def test_no_unicode_text_raises(text: str) -> None:
    assert_read_whole(text)


@given(
    st.lists(
        st.tuples(st.integers(0, len(RECIPE)), st.integers(0, 4), st.sampled_from(["", *PIECES])), max_size=4
    )
)
@settings(SETTINGS, max_examples=250)
def test_no_damaged_recipe_raises(edits: list[tuple[int, int, str]]) -> None:
    text = RECIPE
    for place, removed, inserted in edits:
        text = text[:place] + inserted + text[place + removed :]
    assert_read_whole(text)


def test_the_undamaged_recipe_is_fine() -> None:
    assert parse(Source.of("x", RECIPE)).diagnostics == ()


def test_no_cut_of_a_recipe_raises() -> None:
    for end in range(len(RECIPE)):
        assert_read_whole(RECIPE[:end])


@given(st.integers(0, len(RECIPE) - 1))
@SETTINGS
def test_a_line_that_is_removed_leaves_a_text_that_can_be_read(place: int) -> None:
    lines = RECIPE.splitlines(keepends=True)
    del lines[place % len(lines)]
    assert_read_whole("".join(lines))
