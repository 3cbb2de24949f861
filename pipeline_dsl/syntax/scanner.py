"""The inside of one statement as tokens: keys, values, table headers and rows.

A Scanner walks over one source. Each ``scan_…`` method appends tokens to ``out`` and leaves ``position``
behind what it read; it raises Mistake where the statement cannot be read on. What is wrong but does not stop
the reading (a number that is none, an invisible character) goes to ``findings``.
"""

from __future__ import annotations

import re
from typing import Any

from lark import Token

from pipeline_dsl.diagnostics import Severity
from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Findings, Mistake
from pipeline_dsl.syntax.mistakes import (
    clip,
    inner_bracket,
    inner_quote,
    outer_comma,
    stray_bracket,
    unclosed_quote,
)
from pipeline_dsl.syntax.names import check_name, check_quoted, check_text, normal
from pipeline_dsl.syntax.repairs import Change, Repair, replacement
from pipeline_dsl.syntax.strings import quoted, text_block
from pipeline_dsl.syntax.words import NotANumberError, classify

MAX_TOKENS = 250_000
"""Keeps a text of 1 MiB within 200 MB of memory."""


class Scanner:
    """A position in one source, the tokens read so far (``out``) and the comments that were passed."""

    def __init__(self, findings: Findings, *, comments_end_text: bool = True) -> None:
        self.findings = findings
        self.text = findings.source.text
        self.position = 0
        self.out: list[Token] = []
        self.comments: list[tuple[int, int]] = []
        self.comments_end_text = comments_end_text
        self.count = 0

    def put(self, type_: str, value: Any, start: int, end: int) -> None:
        """Append a token and move behind it. Raises Mistake where the text has too many of them."""
        self.count += 1
        if self.count > MAX_TOKENS:
            raise Mistake(
                Code.TOO_LARGE,
                start,
                end,
                f"this text has more than {MAX_TOKENS} words and signs",
                help="put data in a data file",
                resume=len(self.text),
            )
        self.out.append(Token(type_, value, start, end_pos=end))
        self.position = end

    def skip(self, gap: re.Pattern[str] = t.GAP) -> int:
        """Move over white space; return the new position."""
        match = gap.match(self.text, self.position)
        self.position = match.end() if match else self.position
        return self.position

    def pass_comment(self) -> bool:
        """Move over a comment that starts here, if one does."""
        match = t.COMMENT.match(self.text, self.position)
        if not match:
            return False
        end = match.end() - (match[0].endswith("\r"))
        self.comments.append((match.start(), end))
        check_quoted(self.text[match.start() : end], match.start(), self.findings)
        self.position = match.end()
        return True

    def at_line_end(self) -> bool:
        """Move over blanks and a comment, and over the line end behind them; whether there was one."""
        self.skip()
        self.pass_comment()
        match = t.LINE_END.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match is not None

    def end_statement(self) -> None:
        """Take the end of the line as a token. Raises Mistake where something else stands there."""
        start = self.skip()
        if self.at_line_end():
            self.out.append(Token("_NEWLINE", "", start, end_pos=start))
            return
        raise self.trailing(start)

    def trailing(self, start: int) -> Mistake:
        """The mistake of something standing after a complete value."""
        rest = self.rest(start)
        char = rest[0]
        if char in "]})":
            return stray_bracket(char, start)
        if char == ",":
            return outer_comma(start)
        return Mistake(
            Code.TRAILING,
            start,
            start + len(rest),
            f"`{clip(rest)}` stands after a complete value",
            help="remove it, or put the whole text in one pair of quotes",
        )

    def rest(self, start: int) -> str:
        """What stands between ``start`` and the line end, trimmed."""
        return self.text[start : self.line_end(start)].strip(" \t") or self.text[start : start + 1]

    def line_end(self, start: int) -> int:
        """The offset of the line end after ``start``."""
        end = self.text.find("\n", start)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > start and self.text[end - 1] == "\r" else end

    def next_line(self, start: int) -> int:
        """The offset of the line after that of ``start``, or of the end of the text."""
        end = self.text.find("\n", start)
        return len(self.text) if end < 0 else end + 1

    def scan_key(self, raw: str, start: int) -> None:
        """Take a key, a column or the name of a type."""
        if raw[0] == '"':
            check_quoted(raw, start, self.findings)
            name = normal(quoted(raw[1:-1]))
        else:
            check_name(raw, start, self.findings)
            name = normal(raw)
        self.put("KEY", name, start, start + len(raw))

    def scan_string(self) -> None:
        """Take a quoted string or a text block."""
        start = self.position
        if self.text.startswith('"""', start):
            self._scan_text_block(start)
            return
        match = t.STRING.match(self.text, start)
        if not match:
            raise unclosed_quote(self.text, start)
        check_quoted(match[0], start, self.findings)
        self.put("STRING", quoted(match[0][1:-1]), start, match.end())

    def _scan_text_block(self, start: int) -> None:
        match = t.TEXT.match(self.text, start)
        if match:
            check_quoted(match[1], match.start(1), self.findings)
            self.put("TEXT", text_block(match[1]), start, match.end())
            return
        rest = self.text[start + 3 : self.line_end(start)].strip()
        if rest:
            after = self.text.find('"""', start + 3)
            same_line = 0 <= after < self.line_end(start)
            resume = None if same_line or after < 0 else self.next_line(after)
            raise Mistake(
                Code.TEXT_START,
                start + 3,
                self.line_end(start),
                f"`{clip(rest)}` stands on the line that opens a text block",
                help='break the line after the opening `"""`, or use one pair of quotes for a short text',
                resume=resume,
            )
        raise Mistake(
            Code.UNCLOSED_TEXT,
            start,
            start + 3,
            "this text block is never closed",
            help='write `"""` after its last line',
        )

    def scan_bare(self, end: int) -> None:
        """Take bare text up to ``end``; the position must be at its first character."""
        start = self.position
        raw = self.text[start:end].rstrip(" \t")
        stop = start + len(raw)
        if t.SUSPECT.search(raw):
            self._check_bare(raw, start)
        try:
            type_, value = classify(raw)
        except NotANumberError as error:
            repairs = (replacement(start, stop, error.number, safe=True),) if error.number else ()
            self.findings.add(error.code, start, stop, str(error), help=error.advice, repairs=repairs)
            type_, value = "BARE", raw
        if raw[0] == "'" and len(raw) > 1 and raw[-1] == "'":
            self._note_single_quotes(raw, start, stop)
        self.put(type_, value, start, stop)

    def _note_single_quotes(self, raw: str, start: int, stop: int) -> None:
        marks = (Change(start, start + 1, '"'), Change(stop - 1, stop, '"'))
        plain = not set(raw[1:-1]) & set("'\"\\")
        self.findings.add(
            Code.SINGLE_QUOTES,
            start,
            stop,
            "single quotes do not quote: they are part of this text",
            help=f'write "{raw[1:-1]}"',
            severity=Severity.WARNING,
            repairs=(Repair(f'write "{raw[1:-1]}"', marks, safe=True),) if plain else (),
        )

    def _check_bare(self, raw: str, start: int) -> None:
        rest = t.REFERENCE.sub(lambda match: "_" * len(match[0]), raw) if "${" in raw else raw
        for offset, char in enumerate(rest):
            if char == ",":
                raise outer_comma(start + offset, (start, start + len(raw)))
            if char == '"':
                raise inner_quote(start + offset)
            if char in "[{":
                raise inner_bracket(char, start + offset)
            if char in "]}":
                raise stray_bracket(char, start + offset)
        check_text(raw, start, self.findings)
