"""The grammar of the notation, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token
from lark.lexer import Lexer


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
    """The LALR parser of ``recipe.lark``."""
    text = files("pipeline_dsl.syntax").joinpath("recipe.lark").read_text("utf-8")
    return Lark(
        text,
        parser="lalr",
        lexer=_NoLexer,
        start=["document", "alone"],
        maybe_placeholders=False,
    )
