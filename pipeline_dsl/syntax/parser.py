"""``parse``: a text to its tree and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lark import Token, Tree
from lark.exceptions import UnexpectedToken

from pipeline_dsl.diagnostics import Diagnostic, Source, Span
from pipeline_dsl.syntax.build import Builder
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Findings, Mistake
from pipeline_dsl.syntax.grammar import grammar
from pipeline_dsl.syntax.layout import Layout
from pipeline_dsl.syntax.mistakes import explain
from pipeline_dsl.syntax.nodes import Mapping, Node
from pipeline_dsl.syntax.scanner import Scanner
from pipeline_dsl.syntax.statements import StatementScanner
from pipeline_dsl.syntax.terminals import FLOW_GAP

MAX_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Parsed:
    """What could be read of a text (``root``), what was found wrong, and where its comments stand."""

    root: Mapping
    diagnostics: tuple[Diagnostic, ...]
    source: Source
    comments: tuple[Span, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return not any(d.is_error for d in self.diagnostics)


def parse(source: Source) -> Parsed:
    """Read a whole text. Never raises: every error is a diagnostic, and reading goes on behind it."""
    findings = Findings(source)
    if _refused(findings):
        return Parsed(Mapping((), Span(source, 0, len(source.text))), findings.done(), source, ())
    layout = Layout(findings)
    tree = _drive("document", layout.tokens(), findings)
    root = Builder(findings).document(tree)
    comments = tuple(Span(source, start, end) for start, end in layout.scanner.comments)
    return Parsed(root, findings.done(), source, comments)


def parse_value(source: Source) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """Read one value that stands alone, as in ``--set key=value``; no text at all is null. Never raises.

    ``#`` begins no comment here, except inside brackets. There is no node where there is an error.
    """
    findings = Findings(source)
    builder = Builder(findings)
    node: Node | None = None
    if not _refused(findings):
        tokens = _value_tokens(findings)
        tree = _drive("alone", tokens, findings)
        values = [part for part in tree.children if not (isinstance(part, Tree) and part.data == "bad")]
        node = builder.value(values[0]) if values else builder.null(0)
    found = findings.done()
    return (None if any(d.is_error for d in found) else node), found


def _value_tokens(findings: Findings) -> list[Token]:
    scanner = Scanner(findings, comments_end_text=False)
    end = len(findings.source.text.rstrip(" \t\r\n"))
    try:
        scanner.skip(FLOW_GAP)
        if scanner.position >= end:
            scanner.put("_NEWLINE", "", 0, 0)
            return scanner.out
        StatementScanner(scanner, depth=0, indent=0).scan_alone()
        if scanner.skip(FLOW_GAP) < end:
            raise scanner.trailing(scanner.position)
    except Mistake as mistake:
        findings.add_mistake(mistake)
        return [Token("ERROR", "", 0, end_pos=0), Token("_NEWLINE", "", 0, end_pos=0)]
    return scanner.out


def _refused(findings: Findings) -> bool:
    """Note what makes a text unreadable as a whole."""
    text = findings.source.text
    if len(text) > MAX_SIZE:
        findings.add(
            Code.TOO_LARGE,
            0,
            1,
            "this text is larger than 1 MiB",
            help="split it, or put data in a data file",
        )
        return True
    nul = text.find("\0")
    if nul >= 0:
        findings.add(Code.NUL, nul, nul + 1, "a NUL character", help="remove it; is this a text file?")
        return True
    return False


def _drive(start: str, tokens: Iterable[Token], findings: Findings) -> Tree[Token]:
    """Feed the tokens to the LALR parser; where one does not fit, its statement becomes ERROR.

    ``depth`` is the height of the parser's stack before the current statement: cutting the stack back to it
    forgets the statement, and only that one.
    """
    state = grammar().parse_interactive(start=start).parser_state
    depth = 0
    at_start, skipping = True, False
    last: Token | None = None
    for token in tokens:
        if skipping:
            if token.type not in ("_NEWLINE", "_INDENT"):
                continue
            skipping = False
            if token.type == "_INDENT":
                state.feed_token(Token("_NEWLINE", ""))
        try:
            state.feed_token(token)
        except UnexpectedToken:
            findings.add_mistake(explain(token, last))
            if not at_start:
                del state.state_stack[depth:], state.value_stack[depth - 1 :]
            state.feed_token(Token("ERROR", "", token.start_pos, end_pos=token.start_pos))
            skipping = token.type != "_NEWLINE"
            if not skipping:
                state.feed_token(token)
        if at_start and token.type not in ("_INDENT", "_DEDENT"):
            depth = len(state.state_stack) - 1
        at_start = token.type in ("_NEWLINE", "_INDENT", "_DEDENT")
        last = token
    tree = state.feed_token(Token("$END", ""), is_end=True)
    assert isinstance(tree, Tree)  # noqa: S101 - both start rules make one
    return tree
