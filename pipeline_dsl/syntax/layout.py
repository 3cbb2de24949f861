"""Lines and levels of indentation: turns a whole text into the tokens that ``recipe.lark`` is about."""

from __future__ import annotations

from collections.abc import Iterator

from lark import Token

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Findings, Mistake
from pipeline_dsl.syntax.levels import Holds, Kind, Level, Under
from pipeline_dsl.syntax.mending import moved_block
from pipeline_dsl.syntax.mistakes import MAX_DEPTH, BraceBlock, stray_dash, too_deep, unclosed_quote
from pipeline_dsl.syntax.repairs import Repair, replacement
from pipeline_dsl.syntax.scanner import Scanner
from pipeline_dsl.syntax.skipping import Skipper
from pipeline_dsl.syntax.statements import StatementScanner


class Layout:
    """The tokens of one source, statement by statement. A statement that cannot be read becomes ERROR."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.text = findings.source.text
        self.scanner = Scanner(findings)
        self.skipper = Skipper(self.text)
        self.levels = [Level(0, Kind.BLOCK, Holds.ENTRIES)]
        self.under = Under.NOTHING
        self.indent_char = ""
        self.first_indent = (0, 0)
        self.line_start = 0

    def tokens(self) -> Iterator[Token]:
        """All tokens of the text, with a balanced number of ``_INDENT`` and ``_DEDENT``."""
        scanner = self.scanner
        if self.text.startswith("\ufeff"):
            scanner.position = 1
        while self._find_line() and not self.findings.full:
            width = self._width()
            dash = t.DASH.match(self.text, scanner.position) is not None
            self._place(width, dash=dash)
            if self.levels[-1].kind is Kind.SKIPPED:
                scanner.position = self.skipper.next_line(scanner.position)
                continue
            self._statement(dash=dash)
            yield from scanner.out
            scanner.out.clear()
        while len(self.levels) > 1:
            self._close()
        yield from scanner.out

    def _find_line(self) -> bool:
        """Move to the first character of the next line that holds a statement."""
        scanner = self.scanner
        while scanner.position < len(self.text):
            self.line_start = scanner.position
            if not scanner.at_line_end():
                return True
        return False

    def _width(self) -> int:
        """Measure the indentation of the line; note where tabs and spaces are mixed."""
        start, end = self.line_start, self.scanner.position
        if start == end or self.text[start] == "\ufeff":
            return 0
        gap = self.text[start:end]
        if not self.indent_char:
            self.indent_char = gap[0]
            self.first_indent = (start, end)
            if self.indent_char == "\t":
                self._measure_in_tabs()
        if gap.strip(self.indent_char) == "":
            return end - start
        self._note_mixed(start, end)
        return self._guess_width(gap)

    def _measure_in_tabs(self) -> None:
        """Count in tabs from now on: ``- key: value`` at the start of a line opened a level of one."""
        for level in self.levels:
            level.width = min(level.width, 1)

    def _note_mixed(self, start: int, end: int) -> None:
        words = {" ": "spaces", "\t": "tabs"}
        here = self.findings.span(*self.first_indent)
        style = words[self.indent_char]
        related = (Related(message=f"{style} are used from here on", span=here),)
        self.findings.add(
            Code.MIXED_INDENT,
            start,
            end,
            "tabs and spaces are mixed in the indentation",
            help=f"indent every line with {style}",
            related=related if self.first_indent[0] != start else (),
            repairs=self._in_one_sign(start, end),
        )

    def _in_one_sign(self, start: int, end: int) -> tuple[Repair, ...]:
        """Tabs in a text of spaces as spaces: certain where these lead to a level that can stand here."""
        step = self.first_indent[1] - self.first_indent[0]
        gap = self.text[start:end]
        if self.indent_char != " " or gap.strip("\t"):
            return ()
        width, top = step * len(gap), self.levels[-1]
        opens = self.under is not Under.NOTHING
        certain = width == top.width + step if opens else any(level.width == width for level in self.levels)
        message = f"indent it by {width} spaces"
        return (replacement(start, end, " " * width, safe=certain, message=message),)

    def _guess_width(self, gap: str) -> int:
        """Choose an open level for a line with mixed indentation, so that no further finding follows."""
        if self.under is not Under.NOTHING:
            return self.levels[-1].width + 1
        for tab in (4, 8, 2):
            width = len(gap.expandtabs(tab))
            if self.indent_char == "\t":
                width = width // tab
            if any(level.takes(width) for level in self.levels):
                return width
        return self.levels[-1].width

    def _place(self, width: int, *, dash: bool) -> None:
        """Open or close levels so that the last one is that of the line."""
        top = self.levels[-1]
        if width > top.width and not top.takes(width):
            self._go_deeper(width)
            return
        if dash and top.takes(width) and self.under in (Under.BLOCK, Under.ANYTHING):
            self._open(width, Kind.DASHES)
            return
        if self.under is Under.SECTION and width == 0 and not self._at_section():
            self._open(0, Kind.SECTION)
            self.levels[-1].holds = Holds.ENTRIES
            return
        while len(self.levels) > 1 and self._leaves(width, dash=dash):
            self._close()
        self.under = Under.NOTHING
        if not self.levels[-1].takes(width):
            self.levels[-1].aliases.add(width)

    def _leaves(self, width: int, *, dash: bool) -> bool:
        top, below = self.levels[-1], self.levels[-2]
        if top.kind is Kind.DASHES and top.takes(width):
            return not dash
        if top.kind is Kind.SECTION:
            return self._at_section()
        if top.takes(width) or width > top.width:
            return False
        if width > below.width and not below.takes(width):
            self._note_dedent(width)
            return False
        return True

    def _at_section(self) -> bool:
        return t.SECTION.match(self.text, self.scanner.position) is not None

    def _note_dedent(self, width: int) -> None:
        open_widths = ", ".join(str(level.width) for level in self.levels if level.kind is not Kind.SECTION)
        start, end = self.line_start, self.scanner.position
        self.findings.add(
            Code.BAD_DEDENT,
            start if width else end,
            end,
            f"this line is indented by {width}, but the open levels are at {open_widths}",
            help="indent it like the line that it belongs with",
            repairs=self._moved(width),
        )

    def _moved(self, width: int) -> tuple[Repair, ...]:
        """Move a line to one of the open levels, the nearest first."""
        widths = {level.width for level in self.levels if level.kind is not Kind.SECTION}
        near = sorted(widths, key=lambda wanted: (abs(wanted - width), -wanted))
        return tuple(r for w in near for r in moved_block(self.text, self.line_start, width, w))

    def _go_deeper(self, width: int) -> None:
        top = self.levels[-1]
        if top.kind is Kind.SKIPPED:
            return
        if self.under is Under.NOTHING:
            self.findings.add(
                Code.UNEXPECTED_INDENT,
                self.line_start,
                self.scanner.position,
                "this line is indented deeper than the one before, which cannot hold a block",
                help="indent it like the line before; only `key:`, `- ` and a table's header open a block",
                repairs=moved_block(self.text, self.line_start, width, top.width),
            )
            top.aliases.add(width)
            return
        self._open(width, Kind.ROWS if self.under is Under.ROWS else Kind.BLOCK)

    def _open(self, width: int, kind: Kind) -> None:
        self.under = Under.NOTHING
        if len(self.levels) > MAX_DEPTH:
            if self.levels[-1].kind is not Kind.SKIPPED:
                self.findings.add_mistake(too_deep(self.scanner.position))
                self.levels.append(Level(width, Kind.SKIPPED))
            return
        self.levels.append(Level(width, kind))
        self._mark("_INDENT")

    def _close(self) -> None:
        self.under = Under.NOTHING
        if self.levels.pop().kind is not Kind.SKIPPED:
            self._mark("_DEDENT")

    def _mark(self, type_: str) -> None:
        place = self.scanner.position
        self.scanner.out.append(Token(type_, "", place, end_pos=place))

    def _statement(self, *, dash: bool) -> None:
        """Read one statement, or note why it cannot be read and put ERROR in its place."""
        scanner = self.scanner
        first = len(scanner.out)
        start = scanner.position
        reader = StatementScanner(scanner, depth=len(self.levels) - 1, indent=start - self.line_start)
        level = self.levels[-1]
        try:
            if level.kind is Kind.ROWS:
                self.under = reader.scan_row()
            elif dash:
                self._item(reader, level)
            else:
                self.under = reader.scan_line(level, root=self._at_root())
        except Mistake as raised:
            mistake = self._blame_bracket(self._blame_quote(raised, first), reader)
            again = mistake.code is Code.STRAY_DASH and level.stray_dash
            level.stray_dash = mistake.code is Code.STRAY_DASH
            if not again:
                self.findings.add_mistake(mistake)
            self._replace(first, start, mistake)
            self._resume(mistake, reader)

    def _at_root(self) -> bool:
        return len(self.levels) == 1 or self.levels[-1].kind is Kind.SECTION

    def _item(self, reader: StatementScanner, level: Level) -> None:
        scanner = self.scanner
        reader.scan_dash(level, root=self._at_root())
        start = scanner.skip()
        if scanner.at_line_end():
            scanner.out.append(Token("_NEWLINE", "", start, end_pos=start))
            self.under = Under.ITEM
            return
        scanner.position = start
        if t.DASH.match(self.text, start):
            raise stray_dash(start, "`- ` inside a list item", "write a list in a list as `- [a, b]`")
        if reader.match_entry(item=True):
            tabs = self.indent_char == "\t"
            self._open(level.width + 1 if tabs else start - self.line_start, Kind.BLOCK)
            if self.levels[-1].kind is not Kind.SKIPPED:
                self.under = reader.scan_line(self.levels[-1], root=False, item=True)
                return
        self.under = reader.scan_item_value()

    def _blame_quote(self, mistake: Mistake, first: int) -> Mistake:
        """Find the forgotten quote behind a mistake: a string that went on over the next statement."""
        if mistake.code is Code.UNCLOSED_QUOTE:
            mistake.resume = self.skipper.next_line(mistake.start)
            return mistake
        for token in self.scanner.out[first:]:
            start, end = token.start_pos or 0, token.end_pos or 0
            if token.type != "STRING" or "\n" not in self.text[start:end]:
                continue
            if mistake.start == end or self._swallows_statement(start, end):
                blamed = unclosed_quote(self.text, start)
                blamed.resume = self.skipper.next_line(start)
                return blamed
        return mistake

    def _blame_bracket(self, mistake: Mistake, reader: StatementScanner) -> Mistake:
        """Find the forgotten bracket behind a missing comma: one before the next, damaged statement."""
        flow, line = reader.flow, self.text.rfind("\n", 0, mistake.start) + 1
        if mistake.code is not Code.MISSING_COMMA or flow is None or line <= flow.open[0].start:
            return mistake
        width = mistake.start - line
        if width > reader.indent or self.text[line : mistake.start].strip(" \t"):
            return mistake
        if self.skipper.closes(mistake.start, len(flow.open), reader.indent):
            return mistake
        return flow.unclosed(resume=line)

    def _swallows_statement(self, start: int, end: int) -> bool:
        line = self.text.find("\n", start, end)
        while line >= 0:
            if t.NEW_LINE.match(self.text, line + 1):
                return True
            line = self.text.find("\n", line + 1, end)
        return False

    def _replace(self, first: int, start: int, mistake: Mistake) -> None:
        """Put ERROR where the statement's tokens are, behind the levels that it opened."""
        out = self.scanner.out
        kept = max((i + 1 for i in range(first, len(out)) if out[i].type == "_INDENT"), default=first)
        self.under = Under.ANYTHING
        if mistake.code is Code.BAD_HEADER or any(token.type in ("BAR", "TABLE") for token in out[kept:]):
            self.under = Under.ROWS
        elif mistake.code is Code.SECTION:
            self.under = Under.SECTION
        del out[kept:]
        out.append(Token("ERROR", "", start, end_pos=start))
        out.append(Token("_NEWLINE", "", start, end_pos=start))

    def _resume(self, mistake: Mistake, reader: StatementScanner) -> None:
        """Move to the line where reading goes on."""
        scanner = self.scanner
        scanner.position = self._resume_at(mistake, reader)
        while scanner.comments and scanner.comments[-1][0] >= scanner.position:
            scanner.comments.pop()

    def _resume_at(self, mistake: Mistake, reader: StatementScanner) -> int:
        """The start of the next statement, as near as the mistake lets it be known."""
        skipper, indent = self.skipper, reader.indent
        if mistake.resume is not None:
            return mistake.resume
        if isinstance(mistake, BraceBlock):
            return skipper.after_brackets(mistake.inside, 1, indent)
        match mistake.code:
            case Code.UNCLOSED_TEXT:
                return skipper.next_entry(mistake.start, indent)
            case Code.YAML_BLOCK | Code.UNCLOSED_BRACKET:
                return skipper.after_block(mistake.start, indent)
        opened = reader.flow.open if reader.flow else []
        inside = mistake.end if mistake.code is Code.TOO_DEEP else mistake.start
        return (
            skipper.after_brackets(inside, len(opened), indent)
            if opened
            else skipper.next_line(mistake.start)
        )
