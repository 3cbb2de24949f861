from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_dsl.syntax.formatting import formatted
from pipeline_dsl.syntax.nodes import Mapping, Scalar, Sequence, Table, plain
from pipeline_dsl.syntax.pieces import statements

ROOT = Path(__file__).parents[2]
SETTINGS = settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
chances = st.integers(0, 2**32).map(Random)
OWN = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text("utf-8").splitlines()]
RULES = {
    "blocks are indented by four": ("a:\n  b:\n\tc: 1\n".replace("\t", "    "), "a:\n    b:\n        c: 1\n"),
    "tabs become spaces": ("a:\n\tb:\n\t\tc: 1\n", "a:\n    b:\n        c: 1\n"),
    "signs are kept and spaced": ("a:1\nb=2\nc  :  3\nd   = 4\n", "a: 1\nb = 2\nc: 3\nd = 4\n"),
    "keys without a value end at their sign": ("a :  \nb =\n", "a:\nb =\n"),
    "brackets and commas": ("a=[ 1,2 ,3, ]\nb:{ x:1 ,y = 2 }\nc: [ ]\n", "a = [1, 2, 3]\nb: {x: 1, y = 2}\nc: []\n"),
    "items stand under their key": ("a:\n- b\n-   c: 1\n    d: 2\n", "a:\n    - b\n    - c: 1\n      d: 2\n"),
    "a lone dash keeps its lines": ("a:\n -\n   b: 1\n", "a:\n    -\n        b: 1\n"),
    "line ends in brackets are kept": (
        "a = [\n1,\n  2, 3\n]\nb: {x: [\n1\n], y: 2}\n",
        "a = [\n    1,\n    2, 3\n]\nb: {x: [\n    1\n], y: 2}\n",
    ),
    "a comma stands behind its value": ("a = [1\n, 2 # two\n, 3]\n", "a = [1,\n    2,  # two\n    3]\n"),
    "comments in brackets": (
        "a = [ # all\n# first\n1, # one\n\n\n\n\n  22,   # two\n# last\n]\n",
        "a = [  # all\n    # first\n    1,  # one\n\n\n    22,  # two\n    # last\n]\n",
    ),
    "tables by terminal cells": (
        "t|a,b|\n 한국,1\n x , 22 # c\n longer,3\n",
        "t |a, b|\n    한국,   1\n    x,      22  # c\n    longer, 3\n",
    ),
    "an empty cell": ("t |a, b, c|\n  x,,\n  , yy,1\n", "t |a, b, c|\n    x, ,\n    ,  yy, 1\n"),
    "a table that would be too wide": (
        f"t |a, b|\n  x, 1\n  {'y' * 120}, 2\n", f"t |a, b|\n    x, 1\n    {'y' * 120}, 2\n"
    ),
    "a row over several lines": (
        "t |a, b|\n  x, 1\n  longer, [1,\n2]\n  yy, 3\n",
        "t |a, b|\n    x,  1\n    longer, [1,\n        2]\n    yy, 3\n",
    ),
    "typed tables": ("m: table {f64 ,f64}\n 1,2\nn: table{a}=[ ( 1 ) ,(2,)]\n", "m: table{f64, f64}\n    1, 2\nn: table{a} = [(1), (2)]\n"),
    "a row on the header": ("t |a,b|1,2\nu |a, b|,\n", "t |a, b| 1, 2\nu |a, b| ,\n"),
    "comments beside consecutive lines": (
        "a: 1 # x\nbbb: 2 # y\nc: 3\nd: 4 #z\n\ne: 12345 # w\n",
        "a: 1    # x\nbbb: 2  # y\nc: 3\nd: 4  #z\n\ne: 12345  # w\n",
    ),
    "a wide line does not push comments away": (
        f"a: 1 # x\nb: {'y' * 90} # y\n", f"a: 1  # x\nb: {'y' * 90}  # y\n"
    ),
    "comments stay with what they stand by": (
        "a:\n  b: 1\n  # of a\n# of c\nc:\n  # nothing yet\nd: 1\n",
        "a:\n    b: 1\n    # of a\n# of c\nc:\n    # nothing yet\nd: 1\n",
    ),
    "a comment between items at the key": ("a:\n- 1\n# of b\nb: 2\n", "a:\n    - 1\n# of b\nb: 2\n"),
    "at most two blank lines": ("\n\na: 1\n\n\n\n\nb: 2\n\n# c\n\n\n\n", "a: 1\n\n\nb: 2\n\n# c\n"),
    "white space at the end": ("a: 1  \n  \nb: 2\t# c \t", "a: 1\n\nb: 2  # c\n"),
    "line feeds and no mark": ("\ufeffa: 1\r\nb:\r\n  - x\r\n", "a: 1\nb:\n    - x\n"),
    "text blocks move with their key": (
        'a:\n  b: """  \n     one \n\n       two\n   """ # c\n',
        'a:\n    b: """\n          one\n\n            two\n        """  # c\n',
    ),
    "quoted lines stay": ('a:\n  b: "one  \n  two"\n', 'a:\n    b: "one  \n  two"\n'),
    "spellings stay": ('a: 1_000\nb: 007\nc: nil\nd: "x"\n"e": 2.5e+10\n', 'a: 1_000\nb: 007\nc: nil\nd: "x"\n"e": 2.5e+10\n'),
    "a text that begins like a comment": ("a:#b\nc = [#d,#e]\n", "a:#b\nc = [#d,#e]\n"),
    "a comma before a text that begins like a comment": ("a: [b\n,#c\n, d]\n", "a: [b\n    ,#c,\n    d]\n"),
    "a key that would be a dash": ("-=1\nb:\n -|a|\n  1\n", "-= 1\nb:\n    -|a|\n        1\n"),
    "nothing": ("", ""),
    "blank lines alone": ("\n \n\t\n", ""),
    "comments alone": ("\n\n  # a\n\n\n\n# b", "# a\n\n\n# b\n"),
}  # fmt: skip


def spelled(node) -> list[object]:
    """How everything in a tree is written; a text over several lines by its value."""
    match node:
        case Scalar():
            return [(node.style, repr(node.value) if "\n" in node.span.text else node.span.text)]
        case Mapping():
            return [word for e in node.entries for word in (e.key.span.text, *spelled(e.value))]
        case Sequence():
            return [word for item in node.items for word in spelled(item)]
    names = node.columns if isinstance(node, Table) else node.types
    return [*(name.span.text for name in names), *(word for row in node.rows for word in spelled(row))]


def hold(text: str, read) -> None:
    """Assert all that is promised of the normal form of one text."""
    parsed = read(text)
    once = formatted(parsed)
    again = read(once)
    assert again.ok, once
    assert repr(plain(again.root)) == repr(plain(parsed.root))
    assert spelled(again.root) == spelled(parsed.root)
    assert [c.text.rstrip(" \t\r") for c in parsed.comments] == [c.text for c in again.comments]
    assert formatted(again) == once


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds(rule: str, read) -> None:
    untidy, tidy = RULES[rule]
    assert read(untidy).ok
    assert formatted(read(untidy)) == tidy
    hold(untidy, read)


def test_a_text_with_an_error_has_no_normal_form(read) -> None:
    with pytest.raises(ValueError, match="errors"):
        formatted(read("a: 1\na: 2\n"))


@given(chances)
@SETTINGS
def test_any_text_keeps_its_values_spellings_and_comments_and_is_normal_at_once(
    read, document, chance: Random
) -> None:
    text = document(chance)
    assert read(text).diagnostics == (), text
    hold(text, read)


@given(chances)
@settings(SETTINGS, max_examples=100)
def test_tokens_comments_and_white_space_are_all_of_a_text(read, document, chance: Random) -> None:
    parsed = read(document(chance))
    pieces = [piece for statement in statements(parsed) for piece in statement.pieces]
    kept = "".join(part for piece in pieces for part in (*(c.text for c in piece.comments), piece.text))
    assert "".join(kept.split()) == "".join(parsed.source.text.removeprefix("\ufeff").split())


@pytest.mark.parametrize(
    "case", [case for case in OWN if case["expect"] != "error"], ids=lambda case: case["id"]
)
def test_a_case_keeps_what_it_says(case, read) -> None:
    if read(case["source"]).ok:
        hold(case["source"], read)


def test_every_public_case_and_file_keeps_what_it_says(shared_sdn: Path, read) -> None:
    lines = (shared_sdn / "cases.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["source"] for line in lines]
    texts += [path.read_text("utf-8") for path in sorted((shared_sdn / "corpus").glob("*.sdn"))]
    fine = [text for text in texts if read(text).ok]
    assert len(fine) > 100
    for text in fine:
        hold(text, read)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.sdn")), ids=lambda path: path.name)
def test_the_recipes_are_in_their_normal_form(path: Path, read) -> None:
    text = path.read_text("utf-8")
    assert formatted(read(text)) == text


def test_every_example_of_the_reference_keeps_what_it_says(read) -> None:
    page = files("pipeline_dsl.syntax").joinpath("README.md").read_text("utf-8")
    for example in page.split("```sdn\n")[1:]:
        hold(example.partition("```")[0], read)


PIECES = [
    *'ab1.-_ #"\\\n\n\n\t:=[]{}()|,$\r가\u0301',
    *("a: ", "    ", "- ", '"""', '"""\n', "t |a, b|\n", "table{a}", "\r\n", "${a}", "1e", " # c\n"),
]


def hold_or_refuse(text: str, read) -> None:
    parsed = read(text)
    assert all(d.span and d.span.line >= 1 and d.span.column >= 1 for d in parsed.diagnostics)
    if parsed.ok:
        hold(text, read)


@given(chances, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.sampled_from(PIECES)), max_size=3))
@settings(SETTINGS, max_examples=200)
def test_a_damaged_text_is_refused_at_a_place_or_keeps_what_it_says(
    read, document, chance: Random, edits: list[tuple[float, int, str]]
) -> None:
    text = document(chance)
    for share, removed, inserted in edits:
        place = int(share * len(text))
        text = text[:place] + inserted + text[place + removed :]
    hold_or_refuse(text, read)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(SETTINGS, max_examples=400)
def test_any_text_is_refused_at_a_place_or_keeps_what_it_says(read, text: str) -> None:
    hold_or_refuse(text, read)
