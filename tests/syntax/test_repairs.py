from __future__ import annotations

import pytest

from pipeline_dsl.diagnostics import Diagnostic, Source
from pipeline_dsl.syntax.parser import parse
from pipeline_dsl.syntax.repairs import fixed

CERTAIN = [
    ("a == 1\n", "a = 1\n"),
    ("a := 1\n", "a : 1\n"),
    ("a: +5\n", "a: 5\n"),
    ("a: .5\n", "a: 0.5\n"),
    ("a: 5.\n", "a: 5.0\n"),
    ("a: 1__0\n", "a: 1_0\n"),
    ("a: +1e4\n", "a: 1e4\n"),
    ("seed 7\n", "seed: 7\n"),
    ("seed 7   # chosen by hand\nb: 1\n", "seed: 7   # chosen by hand\nb: 1\n"),
    ("train\n    epochs: 1\n", "train:\n    epochs: 1\n"),
    ("train {epochs: 1}\n", "train: {epochs: 1}\n"),
    ("tags [a, b]\n", "tags: [a, b]\n"),
    ("tags = [a, b\nseed: 7\n", "tags = [a, b]\nseed: 7\n"),
    ("tags = [a, b   # two\nseed: 7\n", "tags = [a, b]   # two\nseed: 7\n"),
    ('name: "Blue Corp\nseed: 7\n', 'name: "Blue Corp"\nseed: 7\n'),
    ('name: "Blue Corp', 'name: "Blue Corp"'),
    ('name: "한국어 모델\r\nseed: 7\r\n', 'name: "한국어 모델"\r\nseed: 7\r\n'),
    ("name: 'Blue Corp'\n", 'name: "Blue Corp"\n'),
    ("m |a, b|\n    1, 2,\n", "m |a, b|\n    1, 2\n"),
    ("a:\n    b: 1\n\tc: 2\n", "a:\n    b: 1\n    c: 2\n"),
]
OFFERED = [
    ("a: x, y\n", "a: [x, y]\n"),
    ("a b: 1\n", '"a b": 1\n'),
    ("a: 1\na: 2\nb: 3\n", "a: 1\nb: 3\n"),
    ("t: {a: 1, b: 2, a: 3}\n", "t: {a: 1, b: 2}\n"),
    ("a:\n    b: 1\na:\n    c: 1\n", "a:\n    b: 1\n"),
    ("m |a, b|\n    1\n", "m |a, b|\n    1, null\n"),
    ("m |a, b|\n    x, the heart, and lung\n", 'm |a, b|\n    x, "the heart, and lung"\n'),
    ("[train]\nepochs: 1\nseed: 7\n", "train:\n    epochs: 1\n    seed: 7\n"),
    ("a:\n        b: 1\n    c: 2\nd: 3\n", "a:\n        b: 1\n        c: 2\nd: 3\n"),
    ("a: 1\n    b: 2\nc: 3\n", "a: 1\nb: 2\nc: 3\n"),
    ('a: {x: "one, y: 2}\nb: 1\n', 'a: {x: "one", y: 2}\nb: 1\n'),
    ('a: ["x" "y"]\n', 'a: ["x", "y"]\n'),
    ("this is a sentence\nb: 1\n", "this: is a sentence\nb: 1\n"),
]
NOTHING_OFFERED = [
    "a: 1e\n",
    "[a.b]\nc: 1\n",
    '[a]\nc: """\n    text\n    """\n',
    "a: it's 'so'\n",
    "a: 'it's so'\n",
    "m |a, b|\n    1, 2, 3, 4\n",
]


def findings(text: str) -> tuple[Diagnostic, ...]:
    return parse(Source.of("a.sdn", text)).diagnostics


@pytest.mark.parametrize(("wrong", "right"), CERTAIN)
def test_what_is_certain_is_mended_by_the_fix_and_no_finding_is_left(wrong, right):
    (found,) = findings(wrong)
    (fix, *_) = found.fixes
    assert fix.safe
    assert fixed(wrong, [fix]) == (right, (fix,))
    assert findings(right) == ()


@pytest.mark.parametrize(("wrong", "right"), OFFERED)
def test_what_is_not_certain_is_offered(wrong, right):
    found, *_ = findings(wrong)
    assert not any(fix.safe for fix in found.fixes)
    texts = [fixed(wrong, [fix])[0] for fix in found.fixes]
    assert right in texts


@pytest.mark.parametrize("text", NOTHING_OFFERED)
def test_where_nobody_can_tell_nothing_is_offered(text):
    assert [fix for found in findings(text) for fix in found.fixes] == []


def test_a_fix_that_touches_another_one_waits():
    (first,) = findings("a: +5\n")
    text, made = fixed("a: +5\n", [*first.fixes, *first.fixes])
    assert (text, made) == ("a: 5\n", first.fixes)


def test_a_quote_over_several_lines_of_text_is_not_closed_unasked():
    found, *_ = findings('a: "first\nsecond line of text\n')
    assert [fix.safe for fix in found.fixes] == [False]


def test_a_sentence_is_not_given_a_colon_unasked():
    (found,) = findings("a: 1\nthis is a sentence\n")
    assert [fix.safe for fix in found.fixes] == [False]


def test_a_tab_that_leads_to_no_open_level_is_not_rewritten_unasked():
    found, *_ = findings("a:\n  b:\n      c: 1\n\t\t\t\td: 2\n")
    assert [fix.safe for fix in found.fixes] == [False]


def test_blanks_at_the_end_of_a_text_are_no_block_of_the_last_value() -> None:
    assert parse(Source.of("r.sdn", "words:\n  heart\n  lung\n    ")).diagnostics == ()
