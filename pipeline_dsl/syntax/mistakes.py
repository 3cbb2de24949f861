"""The mistakes that people make, each with what to write instead."""

from __future__ import annotations

import re

from lark import Token

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Mistake
from pipeline_dsl.syntax.mending import close_quote, section_as_block
from pipeline_dsl.syntax.repairs import around, insertion
from pipeline_dsl.syntax.terminals import OPENING

MAX_DEPTH = 64
MAX_CLIP = 40
OPENERS = frozenset({"LSQB", "LBRACE", "LPAR", "_COMMA", "SEP"})


def explain(token: Token, last: Token | None) -> Mistake:
    """Say what is wrong with ``token`` after ``last``."""
    start = token.start_pos or 0
    end = token.end_pos or start
    if last is not None and last.type in OPENERS and token.type in ("_COMMA", "RSQB", "RBRACE", "RPAR"):
        return Mistake(
            Code.MISSING_VALUE,
            start,
            end,
            f"no value before `{token}`",
            help='write a value, `null` for none, or `""` for empty text',
        )
    return Mistake(
        Code.UNEXPECTED,
        start,
        end,
        f"`{token}` cannot stand here" if token else "something is missing here",
        help="put a text that contains such a character in quotes",
    )


def clip(text: str) -> str:
    """A text short enough to stand in a message."""
    text = text.partition("\n")[0].rstrip("\r")
    return text if len(text) <= MAX_CLIP else text[: MAX_CLIP - 3] + "..."


def unclosed_quote(text: str, start: int) -> Mistake:
    """The mistake of a quote without its end, in a whole text."""
    return Mistake(
        Code.UNCLOSED_QUOTE,
        start,
        start + 1,
        "this quote is never closed",
        help='write `"` where the text ends; a quote inside the text is written `\\"`',
        repairs=close_quote(text, start),
    )


def outer_comma(start: int, value: tuple[int, int] | None = None) -> Mistake:
    """The mistake of a comma in a value that is no list; ``value`` is where that begins and ends."""
    quoted = "put the whole text in quotes"
    repairs = (around(*value, "[]", "write it as a list"), around(*value, '""', quoted)) if value else ()
    return Mistake(
        Code.OUTER_COMMA,
        start,
        start + 1,
        "a comma in bare text",
        help='write a list as `[a, b]`, or put the whole text in quotes: `"a, b"`',
        repairs=repairs,
    )


def inner_quote(start: int) -> Mistake:
    """The mistake of a quote in the middle of bare text."""
    return Mistake(
        Code.INNER_QUOTE,
        start,
        start + 1,
        "a quote inside bare text",
        help='put the whole text in quotes, with `\\"` for a quote inside it',
    )


def inner_bracket(char: str, start: int) -> Mistake:
    """The mistake of an opening bracket in the middle of bare text."""
    return Mistake(
        Code.INNER_BRACKET,
        start,
        start + 1,
        f"`{char}` inside bare text",
        help="put the whole text in quotes",
    )


def lone_return(start: int) -> Mistake:
    """The mistake of a carriage return that is no line end."""
    return Mistake(
        Code.CONTROL,
        start,
        start + 1,
        "a carriage return without a line feed",
        help="end lines with a line feed, or put the text in quotes",
    )


def stray_bracket(char: str, start: int) -> Mistake:
    """The mistake of a closing bracket that closes nothing."""
    return Mistake(
        Code.STRAY_BRACKET,
        start,
        start + 1,
        f"`{char}` closes nothing",
        help=f"remove it, or put a text that contains `{char}` in quotes",
    )


def too_deep(start: int) -> Mistake:
    """The mistake of nesting past the limit."""
    return Mistake(
        Code.TOO_DEEP,
        start,
        start + 1,
        f"nested more than {MAX_DEPTH} deep",
        help="flatten the structure",
    )


def inner_entry(start: int, end: int, raw: str) -> Mistake:
    """The mistake of ``key: value`` where one value has to stand."""
    return Mistake(
        Code.INNER_ENTRY,
        start,
        end,
        f"`{clip(raw)}` is written like `key: value`, but a single value has to stand here",
        help=f'write `{{key: value}}` for a mapping, or `"{clip(raw)}"` for text',
    )


def empty_key(char: str, start: int) -> Mistake:
    """The mistake of a colon or equals sign with nothing before it."""
    return Mistake(
        Code.EMPTY_KEY,
        start,
        start + 1,
        f"no key before `{char}`",
        help=f"write `key{char} value`" if char == ":" else "write `key = value`",
    )


def stray_dash(start: int, message: str, advice: str, related: tuple[Related, ...] = ()) -> Mistake:
    """The mistake of ``- `` where no item can stand."""
    return Mistake(Code.STRAY_DASH, start, start + 1, message, help=advice, related=related)


def typed_table(start: int, message: str) -> Mistake:
    """The mistake of a typed table that is written in another way."""
    advice = "write `name: table{i32, i32} = [(1, 2), (3, 4)]`"
    return Mistake(Code.TYPED_TABLE, start, start + 1, message, help=advice)


def bad_key(key: str, start: int, mark: str) -> Mistake:
    """The mistake of a key with spaces or other characters that a bare key cannot have."""
    end = start + len(key)
    return Mistake(
        Code.BAD_KEY,
        start,
        end,
        f"`{clip(key)}` cannot be a bare key",
        help=f'write "{clip(key)}"{mark} … or the whole line in quotes where it is text',
        reason="a bare key has letters, digits and `_ . - /`",
        repairs=() if set(key) & set('"\\') else (around(start, end, '""', f'write "{clip(key)}"'),),
    )


def bad_header(rest: str, place: int, close: str, start: int) -> Mistake:
    """The mistake of a header that has something else than names and commas."""
    rest = rest.strip()
    typed = close == "}"
    found = (
        f"`{clip(rest)}` where a name, a comma or `{close}` has to stand" if rest else f"no closing `{close}`"
    )
    return Mistake(
        Code.TYPED_TABLE if typed else Code.BAD_HEADER,
        place if rest else start,
        place + len(rest) if rest else start + 1,
        found,
        help="write `name: table{i32, i32}`" if typed else "write `name |a, b|`; other names stand in quotes",
    )


def bar_value(rest: str, start: int, *, yaml: bool) -> Mistake:
    """The mistake of a value that begins with ``|``, or is YAML's ``>``."""
    if yaml:
        return Mistake(
            Code.YAML_BLOCK,
            start,
            start + 1,
            f"`{clip(rest)}` begins a text block in YAML, not here",
            help='open the text with `"""`, and close it with `"""` after its last line',
        )
    return Mistake(
        Code.BAD_HEADER,
        start,
        start + len(rest),
        "a value cannot begin with `|`",
        help="write a table's header without a colon: `name |a, b|`; put other text in quotes",
    )


def section(match: re.Match[str]) -> Mistake:
    """The mistake of a TOML-style section."""
    name, start, end = match[1], match.start(), match.end()
    return Mistake(
        Code.SECTION,
        start,
        end,
        f"`[{clip(name)}]` is a section in TOML, not here",
        help=f"write `{clip(name)}:` and indent the lines under it",
        repairs=section_as_block(match.string, name, start, start + len(match[0].rstrip())),
    )


def missing_colon(line: str, start: int) -> Mistake:
    """The mistake of a key with lines under it, but no colon."""
    return Mistake(
        Code.MISSING_COLON,
        start,
        start + len(line),
        f"no colon after `{clip(line)}`",
        help=f"write `{clip(line)}:`",
        repairs=(insertion(start + len(line), ":", f"write `{clip(line)}:`", safe=True),),
    )


def _closed_at_line_end(match: re.Match[str]) -> bool:
    """Whether ``key {`` goes on to the end of its line as a mapping or list does."""
    line = match.string[match.end() :].partition("\n")[0].rstrip()
    return line.endswith(OPENING[match[2]]) and (match[2] == "[" or ":" in line or "=" in line)


class BraceBlock(Mistake):
    """The mistake of ``key {`` or ``key [``; everything up to the closing bracket goes with it."""

    def __init__(self, match: re.Match[str]) -> None:
        name, char = clip(match[1]), match[2]
        super().__init__(
            Code.BRACE_BLOCK,
            match.start(),
            match.end(),
            f"no colon between `{name}` and `{char}`",
            help=f"write `{name}:` and indent the lines under it, or `{name}: {char}…{OPENING[char]}`",
            repairs=(insertion(match.end(1), ":", f"write `{name}:`", safe=_closed_at_line_end(match)),),
        )
        self.inside = match.end()
