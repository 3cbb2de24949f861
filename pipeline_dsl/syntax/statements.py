"""Which kind of statement a line is, and its tokens."""

from __future__ import annotations

import re

from lark import Token

from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Mistake
from pipeline_dsl.syntax.flow import FlowScanner
from pipeline_dsl.syntax.headers import scan_columns, scan_rows_sign, scan_types
from pipeline_dsl.syntax.judging import LineJudge
from pipeline_dsl.syntax.levels import Holds, Level, Under
from pipeline_dsl.syntax.mistakes import bar_value, stray_dash
from pipeline_dsl.syntax.repairs import replacement
from pipeline_dsl.syntax.scanner import Scanner


class StatementScanner:
    """Reads one statement at the scanner's position into its tokens.

    ``depth`` and ``indent`` are those of the statement; ``flow`` is the bracketed value being read, which
    tells the layout how many brackets were open when a Mistake was raised.
    """

    def __init__(self, scanner: Scanner, *, depth: int, indent: int) -> None:
        self.scanner = scanner
        self.depth = depth
        self.indent = indent
        self.flow: FlowScanner | None = None
        self.judge = LineJudge(scanner, indent)

    def scan_line(self, level: Level, *, root: bool, item: bool = False) -> Under:
        """Take one statement of a block; return what may stand under it."""
        scanner = self.scanner
        match = self.match_entry(item=item)
        if match:
            self.judge.agree(level, Holds.ENTRIES, match.start(), match.end())
            return self._scan_entry(match)
        start = scanner.position
        self.judge.refuse_odd_starts(start, root=root)
        if root or level.holds is Holds.ENTRIES or self.judge.next_is_entry(level, start):
            level.holds = Holds.ENTRIES
            raise self.judge.lone_value(level, start)
        self.judge.refuse_key_like(start)
        self.judge.refuse_header(start)
        self.judge.agree(level, Holds.VALUES, start, scanner.line_end(start))
        return self.scan_value()

    def match_entry(self, *, item: bool) -> re.Match[str] | None:
        """Match the beginning of ``key: value``. In an item the colon takes a space: ``- cuda:0`` is text."""
        text = self.scanner.text
        match = t.ENTRY.match(text, self.scanner.position)
        if not match or match[2] == "|":
            return match
        after = text[match.end() : match.end() + 1]
        if match[2] == ":" and text.startswith("//", match.end()):
            return None
        return None if item and after not in ("", " ", "\t", "\r", "\n") else match

    def scan_value(self) -> Under:
        """Take one value and the end of its line."""
        self._scan_single()
        self.scanner.end_statement()
        return Under.NOTHING

    def scan_item_value(self) -> Under:
        """Take the value of a ``- `` item."""
        start = self.scanner.position
        self.judge.refuse_odd_starts(start, root=False)
        self.judge.refuse_key_like(start)
        return self.scan_value()

    def scan_alone(self) -> Under:
        """Take a value that is a whole text."""
        self._refuse_starts(self.scanner.position)
        return self.scan_value()

    def scan_row(self) -> Under:
        """Take one row of a table and the end of its line."""
        scanner = self.scanner
        start = scanner.position
        if t.DASH.match(scanner.text, start):
            raise stray_dash(start, "a row of a table has no `- ` before it", "write the cells alone: `a, b`")
        scanner.put("ROW", "", start, start)
        self.flow = FlowScanner(scanner, depth=self.depth, indent=self.indent)
        self.flow.scan_row()
        scanner.end_statement()
        return Under.NOTHING

    def _scan_entry(self, match: re.Match[str]) -> Under:
        scanner = self.scanner
        mark = match[2]
        scanner.scan_key(match[1], match.start())
        if mark == "|":
            scan_columns(scanner, match.start(2))
            return Under.ROWS if self._ends_line() else self.scan_row()
        scanner.put("SEP", mark, match.start(2), match.end(2))
        if scanner.text[match.end() : match.end() + 1] == "=":
            raise Mistake(
                Code.DOUBLE_SIGN,
                match.start(2),
                match.end() + 1,
                f"`{mark}=` between a key and its value",
                help="write one `:` or one `=`",
                repairs=(replacement(match.start(2), match.end() + 1, mark, safe=True),),
            )
        return self._scan_entry_value()

    def _scan_entry_value(self) -> Under:
        scanner = self.scanner
        if self._ends_line():
            return Under.BLOCK
        start = scanner.position
        if t.TABLE.match(scanner.text, start):
            return self._scan_typed(start)
        self._refuse_starts(start)
        return self.scan_value()

    def _refuse_starts(self, start: int) -> None:
        """Refuse what a value cannot begin with: the mark of an item, of a table or of YAML's texts."""
        text = self.scanner.text
        if t.DASH.match(text, start) and not t.LINE_END.match(text, start + 1):
            advice = "write each `- item` on a line of its own under the key, or a list as `[a, b]`"
            raise stray_dash(start, "`- ` before a value", advice)
        yaml = t.YAML_MARK.match(text, start) is not None
        if yaml or text[start] == "|":
            raise bar_value(self.scanner.rest(start), start, yaml=yaml)

    def _scan_single(self) -> None:
        scanner = self.scanner
        start = scanner.position
        char = scanner.text[start]
        if char == '"':
            scanner.scan_string()
        elif char in "[{":
            self.flow = FlowScanner(scanner, depth=self.depth, indent=self.indent)
            self.flow.scan_brackets()
        else:
            end = scanner.line_end(start)
            if scanner.comments_end_text:
                comment = t.COMMENT.search(scanner.text, start, end)
                end = comment.start() if comment else end
            scanner.scan_bare(end)

    def _scan_typed(self, start: int) -> Under:
        scan_types(self.scanner, start)
        if self._ends_line():
            return Under.ROWS
        scan_rows_sign(self.scanner)
        self.flow = FlowScanner(self.scanner, depth=self.depth, indent=self.indent, tuples=True)
        self.flow.scan_brackets()
        self.scanner.end_statement()
        return Under.NOTHING

    def _ends_line(self) -> bool:
        """Take the line end as a token, or move to what stands before it."""
        scanner = self.scanner
        start = scanner.skip()
        if scanner.at_line_end():
            scanner.out.append(Token("_NEWLINE", "", start, end_pos=start))
            return True
        scanner.position = start
        return False

    def scan_dash(self, level: Level, *, root: bool) -> None:
        """Take the ``-`` of an item."""
        start = self.scanner.position
        advice = "write `key:` on the line before, and the items under it"
        if root:
            raise stray_dash(start, "a list item that belongs to no key", advice)
        if level.holds in (Holds.ENTRIES, Holds.VALUES):
            related = self.judge.since(level, level.holds)
            raise stray_dash(start, f"a list item among {level.holds.value}", advice, related)
        self.judge.agree(level, Holds.ITEMS, start, start + 1)
        self.scanner.put("DASH", "-", start, start + 1)
