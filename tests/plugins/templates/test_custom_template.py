"""Templates that a recipe writes itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrecipe_plugins.templates.custom import Custom, Options
from pipeline_dsl.api import DataError, MedrecipeError


def _make(prompt, completion="{answer}"):
    return Custom(Options(prompt=prompt, completion=completion))


def test_fields_are_filled_in():
    (sample,) = _make("질문: {question}\n답: ").render({"question": "왜?", "answer": "그냥"}, "row:1")
    assert (sample.prompt, sample.completion, sample.id) == ("질문: 왜?\n답: ", "그냥", "row:1")


def test_doubled_braces_are_braces():
    (sample,) = _make("{{a}} {question} {{{question}}}").render({"question": "q", "answer": "x"}, "row:1")
    assert sample.prompt == "{a} q {q}"


def test_braces_in_data_are_text():
    (sample,) = _make("{question}").render({"question": "{answer} {0} }{", "answer": "x"}, "row:1")
    assert sample.prompt == "{answer} {0} }{"


def test_the_fields_are_known_before_any_row_each_once():
    assert _make("{b} {a} {b} {한글}").fields == ("b", "a", "한글", "answer")


@pytest.mark.parametrize("text", ["{", "}", "{question", "question}", "{a{b}", "{{{a}}", "{a\n{"])
def test_case_20_a_brace_without_a_partner(text):
    with pytest.raises(MedrecipeError) as caught:
        _make(text)
    assert (caught.value.code, caught.value.place) == ("MR320", "prompt")


@pytest.mark.parametrize("name", ["x.__class__", "x[0]", "0", "a b", "x!r", "x:>10", " x", "a-b", "self.x()"])
def test_case_20_nothing_but_plain_names_stands_in_braces(name):
    with pytest.raises(MedrecipeError) as caught:
        _make(f"{{{name}}}")
    assert caught.value.code == "MR321"


@pytest.mark.parametrize("text", ["{}", "{ }"])
def test_empty_braces_are_refused(text):
    with pytest.raises(MedrecipeError) as caught:
        _make("", text)
    assert (caught.value.code, caught.value.place) == ("MR322", "completion")


def test_an_empty_completion_is_refused():
    with pytest.raises(DataError) as caught:
        list(_make("{question}", " ").render({"question": "q"}, "row:1"))
    assert caught.value.code == "MR512"


@given(st.text())
def test_any_text_parses_or_is_refused(text):
    try:
        template = _make(text)
    except MedrecipeError:
        return
    assert template.text().startswith(text)


@given(st.text())
def test_an_escaped_text_is_itself(text):
    (sample,) = _make(text.replace("{", "{{").replace("}", "}}")).render({"answer": "x"}, "row:1")
    assert sample.prompt == text
