"""What stands inside brackets, and the cells of a row: values separated by commas, over several lines."""

from __future__ import annotations

from typing import NamedTuple

from lark import Token

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Mistake
from pipeline_dsl.syntax.mending import close_bracket
from pipeline_dsl.syntax.mistakes import (
    MAX_DEPTH,
    clip,
    empty_key,
    inner_bracket,
    inner_entry,
    inner_quote,
    lone_return,
    stray_bracket,
    too_deep,
)
from pipeline_dsl.syntax.repairs import insertion
from pipeline_dsl.syntax.scanner import Scanner

BEFORE_VALUE = frozenset({"_COMMA", "LSQB", "LBRACE", "LPAR", "SEP"})


class Bracket(NamedTuple):
    """An opening bracket that waits for its end."""

    char: str
    start: int


class FlowScanner:
    """Reads one bracketed value (``scan_brackets``) or one row (``scan_row``) into a Scanner's tokens.

    ``depth`` counts the levels around the statement, ``indent`` is its indentation in characters: a line
    that looks like an entry and is indented no deeper ends a forgotten bracket.
    """

    def __init__(self, scanner: Scanner, *, depth: int, indent: int, tuples: bool = False) -> None:
        self.scanner = scanner
        self.depth = depth
        self.indent = indent
        self.tuples = tuples
        self.open: list[Bracket] = []

    def scan_brackets(self) -> None:
        """Take one bracketed value, up to its last bracket."""
        self._open_bracket()
        while self.open:
            self._skip_gap()
            self._step()

    def scan_row(self) -> None:
        """Take the cells of one row, up to the end of the line."""
        scanner = self.scanner
        while True:
            start = scanner.skip()
            char = scanner.text[start : start + 1]
            if char in ("", "\r", "\n", "#", ","):
                scanner.put("EMPTY", "", start, start)
            elif char in "[{":
                self._open_bracket()
                while self.open:
                    self._skip_gap()
                    self._step()
            else:
                self._scan_plain(char, start)
            start = scanner.skip()
            if scanner.text[start : start + 1] != ",":
                return
            scanner.put("_COMMA", ",", start, start + 1)

    def _step(self) -> None:
        scanner = self.scanner
        start = scanner.position
        char = scanner.text[start : start + 1]
        if not char:
            raise self.unclosed()
        after_value = scanner.out[-1].type not in BEFORE_VALUE
        if char == ",":
            scanner.put("_COMMA", ",", start, start + 1)
        elif char in "]}" or (char == ")" and self.tuples):
            self._close_bracket(char)
        elif after_value:
            raise self._missing_comma(start)
        elif self.open[-1].char == "{" and scanner.out[-1].type != "SEP":
            self._scan_pair_key(start)
        elif char in "[{" or (char == "(" and self.tuples):
            self._open_bracket()
        else:
            self._scan_plain(char, start)

    def _scan_plain(self, char: str, start: int) -> None:
        scanner = self.scanner
        if char == '"':
            scanner.scan_string()
            return
        pattern = t.TUPLE_TEXT if self.tuples else t.FLOW_TEXT
        match = pattern.match(scanner.text, start)
        if not match and char == "\r":
            raise lone_return(start)
        if not match:
            raise stray_bracket(char, start) if char in "]})" else inner_bracket(char, start)
        raw = match[0]
        after = scanner.text[match.end() : match.end() + 1]
        if after == '"':
            raise inner_quote(match.end())
        if after and after in "[{(":
            raise inner_bracket(after, match.end())
        if not self.tuples and raw.count("(") != raw.count(")"):
            raise inner_bracket("(", start + max(raw.find("("), 0))
        entry = t.INNER_ENTRY.search(raw)
        if entry:
            raise inner_entry(start, match.end(), raw)
        scanner.scan_bare(match.end())

    def _scan_pair_key(self, start: int) -> None:
        scanner = self.scanner
        match = t.ENTRY.match(scanner.text, start)
        if match and match[2] != "|":
            scanner.scan_key(match[1], start)
            scanner.put("SEP", match[2], match.start(2), match.end(2))
            return
        name = t.NAME.match(scanner.text, start)
        if not name:
            char = scanner.text[start]
            if char in ":=":
                raise empty_key(char, start)
            if char in "[{(":
                raise inner_bracket(char, start)
            raise Mistake(
                Code.BAD_KEY,
                start,
                start + 1,
                f"`{char}` cannot begin a key",
                help='write `{key: value}`; a key with other characters stands in quotes: `{"key": value}`',
            )
        scanner.position = name.end()
        raise Mistake(
            Code.MISSING_VALUE,
            start,
            name.end(),
            f"`{clip(name[0])}` has no value",
            help=f"write `{clip(name[0])}: value`",
        )

    def _open_bracket(self) -> None:
        scanner = self.scanner
        start = scanner.position
        char = scanner.text[start]
        self.open.append(Bracket(char, start))
        if self.depth + len(self.open) > MAX_DEPTH:
            raise too_deep(start)
        scanner.put(t.BRACKET_TYPES[char], char, start, start + 1)

    def _close_bracket(self, char: str) -> None:
        scanner = self.scanner
        start = scanner.position
        opener = self.open[-1]
        if t.OPENING[opener.char] != char:
            span = scanner.findings.span(opener.start, opener.start + 1)
            raise Mistake(
                Code.STRAY_BRACKET,
                start,
                start + 1,
                f"`{char}` does not close `{opener.char}`",
                help=f"write `{t.OPENING[opener.char]}` first",
                related=(Related(message=f"`{opener.char}` is opened here", span=span),),
            )
        self.open.pop()
        scanner.put(t.BRACKET_TYPES[char], char, start, start + 1)

    def _skip_gap(self) -> None:
        """Move over white space, comments and line ends, up to a line that looks like a new statement."""
        scanner = self.scanner
        while True:
            before = scanner.position
            scanner.skip(t.FLOW_GAP)
            if not scanner.pass_comment():
                break
        line = scanner.text.rfind("\n", before, scanner.position) + 1
        if line and self._looks_new(line):
            raise self.unclosed(resume=line)

    def _looks_new(self, line: int) -> bool:
        scanner = self.scanner
        if scanner.position - line > self.indent or not t.KEY_LINE.match(scanner.text, line):
            return False
        last: Token = scanner.out[-1]
        return self.open[-1].char != "{" or last.type not in ("_COMMA", "LBRACE")

    def _missing_comma(self, start: int) -> Mistake:
        scanner = self.scanner
        rest = scanner.rest(start)
        if rest[0] == "\r":
            return lone_return(start)
        word = t.FLOW_TEXT.match(scanner.text, start)
        if rest[0] in "[{(" and scanner.out[-1].end_pos == start:
            return inner_bracket(rest[0], start)
        return Mistake(
            Code.MISSING_COMMA,
            start,
            word.end() if word else start + 1,
            f"no comma before `{clip(word[0] if word else rest[0])}`",
            help="write a comma between two values; put text that contains quotes or brackets in quotes",
            repairs=(insertion(scanner.out[-1].end_pos or start, ",", "write a comma between them"),),
        )

    def unclosed(self, resume: int | None = None) -> Mistake:
        """The mistake of the innermost bracket that never ends."""
        char, start = self.open[0] if resume is None else self.open[-1]
        text = self.scanner.text
        stop = len(text) if resume is None else resume
        return Mistake(
            Code.UNCLOSED_BRACKET,
            start,
            start + 1,
            f"this `{char}` is never closed",
            help=f"write `{t.OPENING[char]}` where it ends",
            resume=resume,
            repairs=close_bracket(text, start, t.OPENING[char], alone=len(self.open) == 1, stop=stop),
        )
