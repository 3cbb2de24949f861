from __future__ import annotations

from importlib.resources import files

import pytest
from lark import Lark, Token
from lark.exceptions import GrammarError

from pipeline_dsl.syntax.findings import Findings
from pipeline_dsl.syntax.grammar import grammar
from pipeline_dsl.syntax.layout import Layout

TEXT = files("pipeline_dsl.syntax").joinpath("recipe.lark").read_text("utf-8")


def lalr(text: str) -> Lark:
    return Lark(text, parser="lalr", lexer=grammar().options.lexer, start=["document", "alone"], strict=True)


def test_the_grammar_is_lalr_1_without_a_conflict() -> None:
    lalr(TEXT)


def test_a_conflict_would_be_noticed() -> None:
    with pytest.raises(GrammarError):
        lalr(TEXT.replace("pair: KEY SEP value", "pair: KEY SEP value | KEY SEP value _COMMA KEY SEP value"))


def test_every_declared_token_is_used() -> None:
    declared = {
        name for line in TEXT.splitlines() if line.startswith("%declare") for name in line.split()[1:]
    }
    used = {name for state in grammar().parser.parser._parse_table.states.values() for name in state}
    assert declared - used == set()


@pytest.mark.parametrize(
    "text", ["a:\n  b:\n    - c: 1\n      d: 2\n  - e\nf |g|\n  1\n", "a:\n b:\n  c", "a b\n  c:\n- d"]
)
def test_levels_are_always_balanced(text: str, read) -> None:
    tokens: list[Token] = list(Layout(Findings(read(text).source)).tokens())
    height = 0
    for token in tokens:
        height += {"_INDENT": 1, "_DEDENT": -1}.get(token.type, 0)
        assert height >= 0
    assert height == 0


def test_tokens_stand_where_they_say(read) -> None:
    source = read('a: "x" # c\nb = [1, y]\n').source
    spelled = [source.text[t.start_pos : t.end_pos] for t in Layout(Findings(source)).tokens()]
    assert [text for text in spelled if text] == ["a", ":", '"x"', "b", "=", "[", "1", ",", "y", "]"]
