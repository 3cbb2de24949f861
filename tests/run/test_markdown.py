"""Names in a model card: text and nothing else, whatever stands in them (fault 79)."""

from __future__ import annotations

import html

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline_dsl.run.markdown import code, codes, fenced, figure, inert, scalar, size, table

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "a|b",
    "`code`",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![image](http://x/y.png)",
    "**bold** _em_ ~~gone~~",
    "&lt;b&gt;",
    "\\| \\` \\",
    "line\nbreak\r\n# title",
    "\u2028- a list",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "tag\U000e0001 character",
    "$x$ #1 !",
    "",
    "한국어 phase_1",
]


def kinds(markdown: str) -> set[str]:
    """The kinds of tokens that a reader finds."""
    tokens = READER.parse(markdown)
    return {t.type for token in tokens for t in (token, *(token.children or ()))}


def text_of(markdown: str) -> str:
    tokens = READER.parse(markdown)
    return "".join(t.content for token in tokens for t in token.children or ())


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", [inert, code])
def test_a_name_in_a_table_is_one_cell_of_text(name, form):
    cells = READER.render(table(("a", "b"), [[form(name), "x"]])).partition("<tbody>")[2]
    assert cells.count("<td>") == 2
    assert not kinds(table(("a", "b"), [[form(name), "x"]])) & {
        "html_inline", "html_block", "link_open", "image", "strong_open", "em_open", "s_open",
    }  # fmt: skip


@given(st.text(max_size=40))
@pytest.mark.parametrize("form", [inert, code])
def test_any_text_is_read_as_itself(form, text):
    words = f"x {form(text)} x"
    assert kinds(words) <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
        "code_inline",
    }
    assert text_of(words).split() == ["x", *visible(text).split(), "x"]


def visible(text: str) -> str:
    import unicodedata

    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "".join(" " if unicodedata.category(c) in hidden else c for c in text)


@pytest.mark.parametrize(
    "text", ["plain", "a ```b", "```\nout\n```", "````\n```", "no\u202eway", "{a}\n\n{b}\n"]
)
def test_a_block_ends_at_its_own_end(text):
    tokens = READER.parse(f"{fenced(text)}\n\nafter")
    assert [t.type for t in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == text.replace("\u202e", " ") + "\n"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_one_scalar_of_yaml(text):
    assert yaml.safe_load(f"tags:\n- {scalar(text)}\nafter: 1") == {"tags": [text], "after": 1}


@pytest.mark.parametrize(
    "word", ["yes", "No", "null", "true", "1.5", "2026-01-01", "a: b", "- x", "#no", "[x]"]
)
def test_words_that_mean_something_in_yaml_stay_texts(word):
    assert yaml.safe_load(scalar(word)) == word


def test_plain_names_can_be_read_in_the_source():
    assert code("phi4_medical") == "`phi4_medical`"


def test_a_text_that_ends_an_answer_is_code_as_it_is():
    assert code('"\\n### Question"') == '`"\\n### Question"`'
    assert inert("phi4_medical") == "phi4_medical"
    assert codes(["a", "b"]) == "`a`, `b`"
    assert scalar("google/medgemma-4b-it") == "google/medgemma-4b-it"
    assert html.unescape(inert("<b>")) == "<b>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.4625, "0.46"),
        (12.34, "12.3"),
        (310.4, "310"),
        (12345.6, "12,346"),
        (-0.5, "-0.50"),
        (float("nan"), "nan"),
    ],
)
def test_figures_have_three_digits(value, shown):
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("bytes_", "shown"), [(12, "12 bytes"), (8100, "8.1 kB"), (2_400_000, "2.4 MB"), (54e9, "54 GB")]
)
def test_sizes_have_units(bytes_, shown):
    assert size(int(bytes_)) == shown
