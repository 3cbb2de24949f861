from __future__ import annotations

import json

import pytest

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.cli.render import as_concise, as_json, as_text, fault_text
from pipeline_dsl.cli.terminal import Paint, cells, padded
from pipeline_dsl.diagnostics import Diagnostic, Related, Severity, Source, Span

PLAIN = Paint(enabled=False)
TEXT = "recipe: x\n한국어: 값이다\n\tseed:\t7\n"
SOURCE = Source.of("a.sdn", TEXT)


def span(text: str, source: Source = SOURCE) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def finding(where: Span | None, **more) -> Diagnostic:
    return Diagnostic(code="MR101", message="something is wrong", span=where, **more)


def marks(where: Span) -> tuple[str, str]:
    """The source line and the line of carets under it, margin cut off."""
    lines = as_text([finding(where)], PLAIN).splitlines()
    return lines[3].partition("| ")[2], lines[4].partition("| ")[2]


def test_a_finding_shows_code_fact_place_and_line():
    assert as_text([finding(span("x"), severity=Severity.WARNING)], PLAIN).splitlines() == [
        "warning[MR101]: something is wrong",
        " --> a.sdn:1:9",
        "  |",
        "1 | recipe: x",
        "  |         ^",
    ]


def test_marks_sit_under_wide_letters():
    line, carets = marks(span("값이다"))
    assert cells(carets[: carets.index("^")]) == cells(line[: line.index("값")])
    assert carets.count("^") == 6


def test_marks_sit_under_text_after_tabs():
    line, carets = marks(span("7"))
    assert "\t" not in line
    assert carets.index("^") == line.index("7")


def test_marks_sit_under_decomposed_hangul():
    source = Source.of("a.sdn", "한글: 값\n")
    line, carets = marks(Span(source, source.text.index("값"), source.text.index("값") + 3))
    assert cells(carets[: carets.index("^")]) == cells(line.partition("값")[0])


def test_what_a_terminal_would_obey_is_not_drawn():
    source = Source.of("a.sdn", "a: \x1b[31m\u202eb\u200bc\n")
    line, _ = marks(Span(source, 0, 1))
    assert line == "a: �[31m�b�c"


def test_a_span_of_several_lines_is_marked_on_its_first():
    line, carets = marks(Span(SOURCE, 0, len(TEXT)))
    assert (line, carets) == ("recipe: x", "^" * 9)


def test_a_place_at_the_end_of_the_file_is_still_marked():
    source = Source.of("a.sdn", "a: 1")
    assert marks(Span(source, 4, 4)) == ("a: 1", "    ^")


def test_an_empty_file_has_a_place():
    assert marks(Span(Source.of("a.sdn", ""), 0, 0))[1] == "^"


@pytest.mark.parametrize("letter", ["x", "값"])
def test_a_long_line_is_cut_around_the_place(letter):
    source = Source.of("a.sdn", letter * 500 + "!" + letter * 500)
    line, carets = marks(Span(source, 500, 501))
    assert cells(line) <= 124
    assert line.startswith("…")
    assert line.endswith("…")
    assert cells(line.partition("!")[0]) == carets.index("^")


@pytest.mark.parametrize("letter", ["x", "값"])
@pytest.mark.parametrize("width", [40, 80])
def test_a_long_line_is_cut_to_the_width_of_a_terminal(letter, width):
    source = Source.of("a.sdn", letter * 500 + "!" + letter * 500)
    drawn = as_text([finding(Span(source, 500, 501))], PLAIN, width).splitlines()
    assert max(map(cells, drawn[:5])) <= width
    assert cells(drawn[3].partition("!")[0]) == cells(drawn[4].partition("^")[0])


def test_a_long_place_is_cut():
    line, carets = marks(Span(Source.of("a.sdn", "x" * 10**6), 0, 10**6))
    assert len(line) < 130
    assert len(carets) < 130


def test_the_second_place_the_reason_and_the_help_follow():
    second = Related(message="first here", span=span("recipe"))
    lines = as_text(
        [finding(span("seed"), related=(second,), reason="so it is", help="write this\nor that")], PLAIN
    )
    assert lines.splitlines()[5:] == [
        " ::: a.sdn:1:1",
        "  |",
        "1 | recipe: x",
        "  | ------ first here",
        "  = note: so it is",
        "  = help: write this",
        "          or that",
        "",
        "1 error; medrecipe explain MR101 tells more",
    ]


def test_words_are_folded_into_a_terminal_and_hang():
    found = Diagnostic(
        code="MR101", message="something is wrong here", help="write this, or that, or nothing"
    )
    assert as_text([found], PLAIN, 40).splitlines()[:4] == [
        "error[MR101]: something is wrong here",
        "  = help: write this, or that, or",
        "          nothing",
        "",
    ]


def test_a_finding_without_a_place_is_only_said():
    assert as_text([finding(None)], PLAIN).splitlines()[0] == "error[MR101]: something is wrong"


def test_warnings_alone_are_not_counted():
    assert "explain" not in as_text([finding(None, severity=Severity.WARNING)], PLAIN)


def test_concise_is_one_line_each():
    text = as_concise([finding(span("x")), Diagnostic(code="MR300", message="two\nlines")])
    assert text.splitlines() == ["a.sdn:1:9: error[MR101]: something is wrong", "error[MR300]: two lines"]


def test_json_has_places_and_ends():
    second = Related(message="first here", span=span("recipe"))
    data = json.loads(as_json([finding(span("값이다"), help="write", related=(second,)), finding(None)]))
    assert data["schema_version"] == 1
    assert data["diagnostics"][0] == {
        "code": "MR101",
        "severity": "error",
        "message": "something is wrong",
        "file": "a.sdn",
        "line": 2,
        "column": 6,
        "end_line": 2,
        "end_column": 9,
        "help": "write",
        "related": [
            {"message": "first here", "file": "a.sdn", "line": 1, "column": 1, "end_line": 1, "end_column": 7}
        ],
        "fixes": [],
    }
    assert data["diagnostics"][1]["line"] is None


def test_colours_change_nothing_but_colour():
    import click

    findings = [finding(span("값이다"), help="write", reason="so")]
    coloured = as_text(findings, Paint(enabled=True))
    assert "\x1b[" in coloured
    assert click.unstyle(coloured) == as_text(findings, PLAIN)


def test_a_fault_shows_its_place_and_what_to_do():
    error = DataError("no rows", help="add some", place="data/train.jsonl:17")
    assert fault_text(error, PLAIN).splitlines() == [
        "error[MR500]: no rows",
        " --> data/train.jsonl:17",
        "  = help: add some",
    ]


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("값", 2), ("\u1100\u1161", 2), ("é", 1), ("a\u200b", 1), ("Ａ", 2), ("", 0)],
)
def test_cells_are_what_a_terminal_draws(text, width):
    assert cells(text) == width


def test_padding_counts_cells():
    assert padded("값", 4) == "값  "
    assert padded("값", 4, right=True) == "  값"
