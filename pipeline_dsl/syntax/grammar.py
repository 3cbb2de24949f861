"""The grammar of the notation, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.lexer import Lexer

from pipeline_dsl.syntax import tables

TEXT = Path(__file__).with_name("recipe.lark")


class _NoLexer(Lexer):  # type: ignore[misc]  # lark ships no types
    """Lark wants a lexer; the tokens come from ``layout.py`` and are fed one by one."""

    def __init__(self, lexer_conf: Any) -> None:
        del lexer_conf

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        """No token."""
        del lexer_state, parser_state
        return iter(())


@cache
def grammar() -> Lark:
    """The LALR parser of ``recipe.lark``, from its stored tables where they are of this grammar."""
    return tables.load(TEXT.read_text(encoding="utf-8"), _NoLexer) or build()


def build() -> Lark:
    """Build the parser from the grammar's text."""
    return Lark(
        TEXT.read_text(encoding="utf-8"),
        parser="lalr",
        lexer=_NoLexer,
        start=["document", "alone"],
        maybe_placeholders=False,
    )
