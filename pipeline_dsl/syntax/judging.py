"""What a line is beside the other lines of its block, and what it was probably meant to be."""

from __future__ import annotations

import re

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Mistake
from pipeline_dsl.syntax.levels import Holds, Level
from pipeline_dsl.syntax.mistakes import BraceBlock, bad_key, clip, empty_key, missing_colon, section
from pipeline_dsl.syntax.repairs import Repair, insertion
from pipeline_dsl.syntax.scanner import Scanner


class LineJudge:
    """Refuses lines that do not fit; ``indent`` is the indentation of the line in question."""

    def __init__(self, scanner: Scanner, indent: int) -> None:
        self.scanner = scanner
        self.indent = indent

    def refuse_odd_starts(self, start: int, *, root: bool) -> None:
        """Refuse what begins like another notation, or like an entry without its key."""
        text = self.scanner.text
        char = text[start]
        if char in ":=":
            raise empty_key(char, start)
        if char == "|":
            raise Mistake(
                Code.BAD_HEADER,
                start,
                start + 1,
                "a table without a name",
                help="write `name |a, b|`",
            )
        match = t.SECTION.match(text, start) if root else None
        if match:
            raise section(match)
        brace = t.BRACE_BLOCK.match(text, start)
        if brace:
            raise BraceBlock(brace)

    def refuse_key_like(self, start: int) -> None:
        """Refuse bare text that is written like ``key: value`` with a key that is none."""
        text = self.scanner.text
        if text[start] in '"[{':
            return
        line = self._without_comment(start)
        found = t.INNER_ENTRY.search(line.rstrip("\r"))
        if found:
            raise bad_key(line[: found.start()].rstrip(), start, found[0])

    def refuse_header(self, start: int) -> None:
        """Refuse a lone word with a block under it: no value can have one, so that its colon is missing."""
        line = self._without_comment(start).strip()
        if t.KEY_ALONE.fullmatch(line) and self._next_is_deeper(start):
            raise missing_colon(line, start)

    def lone_value(self, level: Level, start: int) -> Mistake:
        """The mistake of a line that is no entry in a block of entries."""
        self.refuse_key_like(start)
        line = self._without_comment(start).strip()
        end = start + len(line)
        related = self.since(level, Holds.ENTRIES)
        word, gap, rest = line.partition(" ")
        if t.KEY_ALONE.fullmatch(line) and self._next_is_deeper(start):
            return missing_colon(line, start)
        if gap and t.KEY_ALONE.fullmatch(word) and rest.strip():
            return Mistake(
                Code.MISSING_COLON,
                start,
                end,
                f"no colon between `{clip(word)}` and its value",
                help=f"write `{clip(word)}: {clip(rest.strip())}`",
                related=related,
                repairs=(self._with_colon(word, rest.strip(), start),),
            )
        return Mistake(
            Code.LONE_VALUE,
            start,
            end,
            f"`{clip(line)}` stands alone among `key: value` lines",
            help='write `key: value`; text that goes over several lines stands between two `"""`',
            related=related,
        )

    @staticmethod
    def _with_colon(word: str, rest: str, start: int) -> Repair:
        """``key value`` with its colon: certain unless it may be a sentence."""
        certain = " " not in rest or rest[0] in '"[{'
        message = f"write `{clip(word)}: {clip(rest)}`"
        return insertion(start + len(word), ":", message, safe=certain)

    def _without_comment(self, start: int) -> str:
        line = self.scanner.text[start : self.scanner.line_end(start)]
        comment = t.COMMENT.search(line) if self.scanner.comments_end_text else None
        return line[: comment.start()] if comment else line

    def _next_line(self, start: int) -> re.Match[str] | None:
        """Match the indentation of the next line that is not blank."""
        text = self.scanner.text
        place = self.scanner.next_line(start)
        while place < len(text) and t.IDLE.match(text, place):
            place = self.scanner.next_line(place)
        gap = t.INDENT.match(text, place)
        return gap if gap is not None and gap.end() < len(text) else None

    def _next_is_deeper(self, start: int) -> bool:
        gap = self._next_line(start)
        return gap is not None and len(gap[0]) > self.indent

    def next_is_entry(self, level: Level, start: int) -> bool:
        """Whether a block that begins with this line goes on with entries: this line is the odd one.

        It is not where the line after the next is no entry either: then the next one is.
        """
        text = self.scanner.text
        if level.holds is not Holds.UNKNOWN or text[start] in '"[{':
            return False
        gap = self._next_beside(start)
        if gap is None or not t.KEY_LINE.match(text, gap.start()):
            return False
        after = self._next_beside(gap.start())
        return after is None or t.KEY_LINE.match(text, after.start()) is not None

    def _next_beside(self, start: int) -> re.Match[str] | None:
        """Match the indentation of the next line if it is that of this one."""
        gap = self._next_line(start)
        return gap if gap is not None and len(gap[0]) == self.indent else None

    def agree(self, level: Level, holds: Holds, start: int, end: int) -> None:
        """Let the first statement of a block decide what it holds, and hold the others to it."""
        if level.holds is Holds.UNKNOWN:
            level.holds = holds
            level.since = (start, end)
            return
        if level.holds is holds:
            return
        if holds is Holds.ENTRIES:
            raise Mistake(
                Code.LONE_ENTRY,
                start,
                end,
                f"a `key: value` line in a list of {level.holds.value}",
                help="write the whole line in quotes where it is text, or `- key: value` for an item",
                related=self.since(level, level.holds),
            )
        raise Mistake(
            Code.LONE_VALUE,
            start,
            end,
            f"a value that is no item in a list of {level.holds.value}",
            help="write `- ` before it",
            related=self.since(level, level.holds),
        )

    def since(self, level: Level, holds: Holds) -> tuple[Related, ...]:
        """The place from which on a block holds what it holds, where there is one."""
        if level.holds is not holds or level.since[1] == 0:
            return ()
        span = self.scanner.findings.span(*level.since)
        return (Related(message=f"this block holds {holds.value} since here", span=span),)
