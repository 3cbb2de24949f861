"""Conditions: what they say, what is wrong with them, and where."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe import conditions
from pipeline_dsl.recipe.conditions import Condition, parse_condition
from pipeline_dsl.syntax import tables


def parsed(text: str) -> Condition:
    condition, found = parse_condition(text, Span(Source.of("c", text), 0, len(text)))
    assert found == ()
    assert condition is not None
    return condition


def wrong(text: str) -> tuple[str, str, str]:
    source = Source.of("c", f'when: "{text}"')
    condition, found = parse_condition(text, Span(source, 6, len(source.text)))
    assert condition is None
    assert len(found) == 1
    assert found[0].span is not None
    assert found[0].span.start > 6
    return found[0].code, found[0].span.text, found[0].message


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("loss < 0.01", False),
        ("loss < 1", True),
        ("loss<=0.5", True),
        ("0.5 == loss", True),
        ("loss != 0.5", False),
        ("loss > -1e-3", True),
        ("exam.reasoning >= 0.7 for 2", True),
        ("not loss < 1 or exam.reasoning > 0.5", True),
        ("not (loss < 1 or exam.reasoning > 0.5)", False),
        ("loss < 1 and exam.reasoning > 0.9", False),
        ("loss > 1 or loss < 1 and step == 10", True),
        ("시험.정확도 >= 0.25", True),
        ("ko-exam.f1 > 0", True),
        ("not not loss < 1", True),
    ],
)
def test_a_condition_holds_of_values(*, text: str, holds: bool) -> None:
    values = {"loss": 0.5, "exam.reasoning": 0.8, "step": 10, "시험.정확도": 0.3, "ko-exam.f1": 0.1}
    assert parsed(text).holds(values) is holds


@pytest.mark.parametrize(
    "text", ["gone < 1", "not gone < 1", "gone < 1 and loss < 1", "not (gone < 1 and loss < 1)"]
)
def test_what_depends_on_a_value_that_is_not_there_does_not_hold(text: str) -> None:
    assert parsed(text).holds({"loss": 0.5}) is False


def test_what_is_decided_without_the_missing_value_is_decided() -> None:
    assert parsed("gone < 1 or loss < 1").holds({"loss": 0.5}) is True


def test_names_keep_their_places_inside_the_quotes() -> None:
    source = Source.of("c", 'when: "loss < 1 and 시험.f1 > 2"')
    condition, _ = parse_condition("loss < 1 and 시험.f1 > 2", Span(source, 6, len(source.text)))
    assert condition is not None
    assert [(ref.name, ref.span.text) for ref in condition.names] == [
        ("loss", "loss"),
        ("시험.f1", "시험.f1"),
    ]


def test_a_string_with_escapes_is_pointed_at_as_a_whole() -> None:
    source = Source.of("c", '"loss\\t<"')
    _, found = parse_condition("loss\t<", Span(source, 0, len(source.text)))
    assert found[0].span == Span(source, 0, len(source.text))


def test_for_counts_repetitions_of_the_whole_condition() -> None:
    assert parsed("loss < 1").repeats == 1
    assert parsed("loss < 1 or step > 3 for 4").repeats == 4


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("loss <", "MR421", "<"),
        ("< 1", "MR421", "<"),
        ("loss < 1 and", "MR421", "d"),
        ("loss = 1", "MR421", "="),
        ("a < b < c", "MR421", "<"),
        ("(loss < 1", "MR421", "1"),
        ("loss < 1)", "MR421", ")"),
        ("loss + 1 < 2", "MR421", "+"),
        ("import('os') < 1", "MR421", "("),
        ("loss < 1 for 2 for 3", "MR421", "for"),
        ("loss < 1 for 2 and step > 1", "MR421", "and"),
        ("loss < 1 for 0", "MR421", "0"),
        ("loss < 1 for 1.5", "MR421", "1.5"),
        ("loss < 1 for -1", "MR421", "-1"),
        ("and < 1", "MR421", "and"),
        ("1 and 2", "MR422", "1"),
        ("loss", "MR422", "loss"),
        ("loss < 1 and 시험", "MR422", "시험"),
        ("not loss", "MR422", "loss"),
        ("(a < 1) == (b < 1)", "MR422", "a < 1"),
        ("loss < 1e999", "MR422", "1e999"),
    ],
)
def test_a_wrong_condition_is_refused_at_its_place(text: str, code: str, at: str) -> None:
    found, place, message = wrong(text)
    assert (found, place) == (code, at), message


def test_an_empty_or_endless_condition_is_refused() -> None:
    assert wrong(" ")[2] == "the condition is empty"
    assert "more than 500 characters" in wrong("not " * 2000 + "a < 1")[2]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1.< =>!()andortfn-\"'가\n\t"), max_size=30))
def test_any_text_is_a_condition_or_one_finding(text: str) -> None:
    condition, found = parse_condition(text, Span(Source.of("c", text), 0, len(text)))
    assert (condition is None) == (len(found) == 1)
    if condition:
        condition.holds({})


def test_the_dataclasses_are_there_without_lark() -> None:
    code = "import sys, pipeline_dsl.recipe.model as m; assert 'lark' not in sys.modules; m.Condition"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_stored_tables_are_those_of_the_grammar():
    """After a change of ``conditions.lark`` or of Lark: ``python -m pipeline_dsl.recipe.conditions``."""
    text = conditions.GRAMMAR.read_text(encoding="utf-8")
    assert conditions.TABLES.read_text(encoding="utf-8") == tables.dump(conditions.build_parser(), text)


def test_conditions_are_read_alike_with_and_without_stored_tables():
    text = "not (loss < 0.01) and exam.reasoning >= 0.7 or name == 'it''s' for 2"
    stored = tables.load(conditions.GRAMMAR.read_text(encoding="utf-8"), path=conditions.TABLES)
    assert stored.parse(text) == conditions.build_parser().parse(text)
