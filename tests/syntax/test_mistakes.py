"""Every code: the text that raises it, the place, and a word of the advice."""

from __future__ import annotations

import pytest

from pipeline_dsl.diagnostics import Severity
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.nodes import plain

MISTAKES = [
    (Code.NUL, "a: b\0", (1, 5), "remove it"),
    (Code.MIXED_INDENT, "a:\n  b: 1\n\tc: 2", (3, 1), "with spaces"),
    (Code.BAD_DEDENT, "a:\n    b: 1\n  c: 2", (3, 1), "indent it like the line"),
    (Code.UNEXPECTED_INDENT, "a: 1\n  b: 2", (2, 1), "indent it like the line before"),
    (Code.UNEXPECTED_INDENT, "  a: 1", (1, 1), "`key:`"),
    (Code.TOO_DEEP, "a: " + "[" * 65 + "]" * 65, (1, 68), "flatten"),
    (Code.MISSING_COLON, "epochs 3", (1, 1), "`epochs: 3`"),
    (Code.MISSING_COLON, "model\n  use: x", (1, 1), "`model:`"),
    (Code.EMPTY_KEY, "a: 1\n: 2", (2, 1), "`key: value`"),
    (Code.EMPTY_KEY, "= 2", (1, 1), "`key = value`"),
    (Code.BAD_KEY, "a b: 1", (1, 1), '"a b": …'),
    (Code.BAD_KEY, "x😀: 1", (1, 2), '"x😀"'),
    (Code.BAD_KEY, "a: {+: 1}", (1, 5), "in quotes"),
    (Code.DUPLICATE_KEY, "a: 1\nb: 2\na: 3", (3, 1), "a name of its own"),
    (Code.DUPLICATE_KEY, "a: {x: 1, x: 2}", (1, 11), "a name of its own"),
    (Code.LONE_VALUE, "a: 1\nword", (2, 1), "`key: value`"),
    (Code.LONE_VALUE, "a:\n  - b\n  c", (3, 3), "`- ` before it"),
    (Code.LONE_ENTRY, "a:\n  b\n  c\n  d: 1", (4, 3), "in quotes"),
    (Code.SECTION, "[model]\nname = x", (1, 1), "`model:`"),
    (Code.BRACE_BLOCK, "a {\n  b 1\n}", (1, 1), "`a:`"),
    (Code.STRAY_DASH, "- a", (1, 1), "`key:`"),
    (Code.STRAY_DASH, "a: - b", (1, 4), "a line of its own"),
    (Code.STRAY_DASH, "a:\n  - - b", (2, 5), "`- [a, b]`"),
    (Code.STRAY_DASH, "t |a|\n  - 1", (2, 3), "cells alone"),
    (Code.DOUBLE_SIGN, "a == 1", (1, 3), "one `=`"),
    (Code.UNCLOSED_QUOTE, 'a: "b', (1, 4), "where the text ends"),
    (Code.UNCLOSED_QUOTE, 'a: "b\nc: "d"', (1, 4), "where the text ends"),
    (Code.UNCLOSED_TEXT, 'a: """\n  b', (1, 4), "after its last line"),
    (Code.TEXT_START, 'a: """b"""', (1, 7), "break the line"),
    (Code.TRAILING, 'a: "b" c', (1, 8), "one pair of quotes"),
    (Code.YAML_BLOCK, "a: |\n  b\n  c: d", (1, 4), '`"""`'),
    (Code.INNER_QUOTE, 'a: say "b"', (1, 8), '`\\"`'),
    (Code.UNCLOSED_BRACKET, "a: [1, 2\nb: 3", (1, 4), "`]`"),
    (Code.UNCLOSED_BRACKET, "a: {b: 1", (1, 4), "`}`"),
    (Code.STRAY_BRACKET, "a: 1]", (1, 5), "in quotes"),
    (Code.STRAY_BRACKET, "a: [1}", (1, 6), "`]` first"),
    (Code.MISSING_COMMA, 'a: ["b" "c"]', (1, 9), "a comma"),
    (Code.MISSING_COMMA, "a: [\n  b\n  c\n]", (3, 3), "a comma"),
    (Code.MISSING_VALUE, "a: [1,, 2]", (1, 7), "`null`"),
    (Code.MISSING_VALUE, "a: {b}", (1, 5), "`b: value`"),
    (Code.MISSING_VALUE, "a: {b:}", (1, 7), "`null`"),
    (Code.OUTER_COMMA, "a: b, c", (1, 5), "`[a, b]`"),
    (Code.INNER_BRACKET, "a: b[0]", (1, 5), "in quotes"),
    (Code.INNER_BRACKET, "a: [(1, 2)]", (1, 5), "in quotes"),
    (Code.INNER_ENTRY, "t |a, b|\n  1, k: v", (2, 6), "`{key: value}`"),
    (Code.NOT_A_NUMBER, "a: +5", (1, 4), "`5`"),
    (Code.NOT_A_NUMBER, "a: .5", (1, 4), "`0.5`"),
    (Code.NOT_A_NUMBER, "a: -.5", (1, 4), "`-0.5`"),
    (Code.NOT_A_NUMBER, "a: 5.", (1, 4), "`5.0`"),
    (Code.NOT_A_NUMBER, "a: 1e", (1, 4), "`1e0`"),
    (Code.NOT_A_NUMBER, "a: 1__0", (1, 4), "`1_0`"),
    (Code.BIG_INTEGER, "a: 9223372036854775808", (1, 4), "`9223372036854775808.0`"),
    (Code.FLOAT_RANGE, "a: 1e400", (1, 4), "1e308"),
    (Code.FLOAT_RANGE, "a: 1e-400", (1, 4), "1e-308"),
    (Code.SHORT_ROW, "t |a, b|\n  1", (2, 3), "`null`"),
    (Code.LONG_ROW, "t |a, b|\n  1, 2, 3", (2, 9), "comma in quotes"),
    (Code.DUPLICATE_COLUMN, "t |a, a|\n  1, 2", (1, 7), "a name of its own"),
    (Code.BAD_HEADER, "t |a, b\n  1, 2", (1, 3), "`name |a, b|`"),
    (Code.BAD_HEADER, "t: |a, b|\n  1, 2", (1, 4), "without a colon"),
    (Code.TYPED_TABLE, "t = table{i32}\n  1", (1, 3), "`name: table"),
    (Code.INVISIBLE, "a\u200bb: 1", (1, 2), "remove it"),
    (Code.INVISIBLE, "a: \u202eb", (1, 4), "remove it"),
    (Code.LOOKALIKE, "l\u043era: 1", (1, 2), "one script"),
    (Code.LOOKALIKE, "a: [l\u043era]", (1, 6), "one script"),
    (Code.CONTROL, "a: b\x01c", (1, 5), "in quotes"),
    (Code.CONTROL, "a: [b\rc]", (1, 6), "in quotes"),
    (Code.ODD_SPACE, "a: \u3000b", (1, 4), "ordinary space"),
]


@pytest.mark.parametrize(("code", "text", "place", "advice"), MISTAKES)
def test_a_mistake_is_named_once_with_its_place_and_what_to_write(
    code: Code, text: str, place: tuple[int, int], advice: str, read
) -> None:
    (finding,) = read(text).diagnostics
    assert (finding.code, finding.span.line, finding.span.column) == (code.value, *place)
    assert advice in finding.help


def test_every_code_has_a_text_that_raises_it() -> None:
    elsewhere = {
        Code.TOO_MANY,
        Code.UNREADABLE,
        Code.NOT_UTF8,
        Code.TOO_LARGE,
        Code.SINGLE_QUOTES,
        Code.NOT_JSON,  # these four are about what commands are given
        Code.UNWRITABLE,
        Code.NO_SUCH_PATH,
        Code.NOT_IN_PLACE,
        Code.UNEXPECTED,  # the net under the others
    }
    assert set(Code) - {code for code, *_ in MISTAKES} == elsewhere


def test_codes_are_distinct_and_titled() -> None:
    assert len({code.value for code in Code}) == len(list(Code))
    assert all(code.value.startswith("MR1") and code.what for code in Code)


def test_a_duplicate_shows_both_places(read) -> None:
    (finding,) = read("a: 1\nb: 2\na: 3").diagnostics
    assert [(r.span.line, r.span.column) for r in finding.related] == [(1, 1)]
    (finding,) = read("t |a, b, a|\n").diagnostics
    assert [(r.span.line, r.span.column) for r in finding.related] == [(1, 4)]


def test_the_first_of_two_equal_keys_is_kept(read) -> None:
    assert plain(read("a: 1\na: 2").root) == {"a": 1}


def test_equal_keys_are_found_in_nfc(read) -> None:
    (finding,) = read("\ud55c: 1\n\u1112\u1161\u11ab: 2").diagnostics
    assert finding.code == Code.DUPLICATE_KEY


def test_a_wrong_row_shows_the_columns(read) -> None:
    (finding,) = read("t |a, b|\n  1").diagnostics
    assert finding.related[0].span.text == "|a, b|"


def test_an_odd_line_shows_what_its_block_holds(read) -> None:
    (finding,) = read("a:\n  b\n  c\n  d: 1").diagnostics
    assert [(r.span.line, r.span.text) for r in finding.related] == [(2, "b")]


def test_single_quotes_are_a_warning_and_part_of_the_text(read) -> None:
    parsed = read("a: 'b c'")
    assert parsed.ok
    assert [(d.code, d.severity) for d in parsed.diagnostics] == [(Code.SINGLE_QUOTES, Severity.WARNING)]
    assert plain(parsed.root) == {"a": "'b c'"}


@pytest.mark.parametrize("text", ["# \u202e", 'a: "\u202e"', 'a: """\n \u2066\n """'])
def test_direction_marks_in_quotes_and_comments_are_a_warning(text: str, read) -> None:
    (finding,) = read(text).diagnostics
    assert (finding.code, finding.severity) == (Code.INVISIBLE, Severity.WARNING)


@pytest.mark.parametrize(
    "text",
    [
        "한글key: 1",
        "데이터/트레인.jsonl: 1",
        "данные/train.jsonl: 1",
        "a: данные/train.jsonl",
        "α: 1",
        '"l\u043era": 1',
        'a: "l\u043era"',
        "a: привет world",
        'a: "x\u200by"',
        "a: 철수\u3000영희",
        "a: [철수\u3000영희, b]",
    ],
)
def test_names_and_texts_of_any_script_are_fine(text: str, read) -> None:
    assert read(text).diagnostics == ()


def test_a_lookalike_is_named(read) -> None:
    (finding,) = read("l\u043era: 1").diagnostics
    assert "U+043E CYRILLIC SMALL LETTER O" in finding.message
