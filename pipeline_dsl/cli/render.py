"""Findings as text for people (full or one line each) and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline_dsl.cli.documents import SCHEMA_VERSION, json_text
from pipeline_dsl.cli.excerpt import excerpt, inert
from pipeline_dsl.cli.terminal import Paint, folded
from pipeline_dsl.diagnostics import Diagnostic, Fix, Severity, Span

if TYPE_CHECKING:
    from pipeline_dsl.api.errors import MedrecipeError

Json = dict[str, Any]
_HANG = 4
"""How far the rest of a long first line is indented."""


def as_text(diagnostics: Sequence[Diagnostic], paint: Paint, width: int | None = None) -> str:
    """Return all findings with their source lines, an empty line between two, and a count of the errors.

    What is said in words is folded into ``width`` cells, if there is one; source lines never are.
    """
    blocks = [_block(d, paint, width) for d in diagnostics]
    return "\n\n".join([*blocks, *_count(diagnostics, paint)])


def as_concise(diagnostics: Sequence[Diagnostic]) -> str:
    """Return one line for each finding: ``file:line:column: error[MR101]: message``."""
    return "\n".join(f"{_place(d.span)}{d.severity}[{d.code}]: {_one_line(d.message)}" for d in diagnostics)


def as_json(diagnostics: Sequence[Diagnostic], made: Sequence[tuple[Diagnostic, Fix]] = ()) -> str:
    """Return all findings as one JSON document, with the fixes that were made, if any were."""
    document: Json = {
        "schema_version": SCHEMA_VERSION,
        "diagnostics": [diagnostic_json(d) for d in diagnostics],
    }
    if made:
        document["fixed"] = [
            {"code": d.code, "message": fix.message, **_place_json(d.span)} for d, fix in made
        ]
    return json_text(document)


def made_line(diagnostic: Diagnostic, fix: Fix) -> str:
    """Return what was mended in one line: ``file:line:column: fixed MR303: write `learning_rate```."""
    return f"{_place(diagnostic.span)}fixed {diagnostic.code}: {_one_line(fix.message)}"


def diagnostic_json(diagnostic: Diagnostic) -> Json:
    """Return one finding as JSON; places are 1-based, columns count code points, ends are exclusive."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        **_place_json(diagnostic.span),
        "help": diagnostic.help,
        "related": [{"message": r.message, **_place_json(r.span)} for r in diagnostic.related],
        "fixes": [_fix_json(fix) for fix in diagnostic.fixes],
    }


def _fix_json(fix: Fix) -> Json:
    edits = [{**_place_json(edit.span), "text": edit.text} for edit in fix.edits]
    return {"message": fix.message, "safe": fix.safe, "edits": edits}


def fault_text(error: MedrecipeError, paint: Paint, width: int | None = None) -> str:
    """Return what ended a command: code, fact, place and what to do, folded into ``width``, if any."""
    lines = _headline(f"error[{error.code}]", error.message, paint.red, paint, width)
    if error.place:
        lines.append(f" {paint.blue('-->')} {inert(error.place)}")
    return "\n".join([*lines, *_remark("help", error.help, 1, paint, width)])


def _headline(
    code: str, message: str, colour: Callable[[str], str], paint: Paint, width: int | None
) -> list[str]:
    return folded(f"{colour(code)}: {paint.bold(inert(message))}", width, _HANG)


def _block(diagnostic: Diagnostic, paint: Paint, width: int | None) -> str:
    colour = paint.red if diagnostic.severity is Severity.ERROR else paint.yellow
    code = f"{diagnostic.severity}[{diagnostic.code}]"
    lines = _headline(code, diagnostic.message, colour, paint, width)
    spans = [s for s in (diagnostic.span, *(r.span for r in diagnostic.related)) if s is not None]
    margin = max((len(str(s.line)) for s in spans), default=1)
    if diagnostic.span is not None:
        lines += excerpt(diagnostic.span, margin=margin, mark="^", paint=paint, colour=colour, width=width)
    for related in diagnostic.related:
        lines += excerpt(
            related.span,
            margin=margin,
            mark="-",
            paint=paint,
            colour=paint.blue,
            label=related.message,
            arrow=":::",
            width=width,
        )
    for word, text in (("note", diagnostic.reason), ("help", diagnostic.help)):
        lines += _remark(word, text, margin, paint, width)
    lines += _remark("fix", _way_out(diagnostic), margin, paint, width)
    return "\n".join(lines)


def _way_out(diagnostic: Diagnostic) -> str | None:
    """The likeliest fix: one that is certain, or one of which the help says nothing yet."""
    certain = next((fix for fix in diagnostic.fixes if fix.safe), None)
    if certain is not None:
        return f"{certain.message} (check --fix does it)"
    first = next(iter(diagnostic.fixes), None)
    named = first is None or any(e.text and e.text in (diagnostic.help or "") for e in first.edits)
    return None if first is None or named else f"{first.message}, if that is meant"


def _remark(word: str, text: str | None, margin: int, paint: Paint, width: int | None) -> list[str]:
    if not text:
        return []
    first, *rest = map(inert, text.splitlines())
    indent = margin + len(word) + len(" = : ")
    lines = [f"{' ' * margin} {paint.blue('=')} {word}: {first}", *(" " * indent + line for line in rest)]
    return [part for line in lines for part in folded(line, width, indent)]


def _count(diagnostics: Sequence[Diagnostic], paint: Paint) -> list[str]:
    errors = sum(d.is_error for d in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [_number(errors, "error")] if errors else []
    parts += [_number(warnings, "warning")] if warnings else []
    if not errors:
        return []
    code = next(d.code for d in diagnostics if d.is_error)
    return [f"{paint.red(', '.join(parts))}; medrecipe explain {code} tells more"]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _place(span: Span | None) -> str:
    return f"{inert(span.source.name)}:{span.line}:{span.column}: " if span else ""


def _place_json(span: Span | None) -> Json:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    end_line, end_column = span.end_position
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _one_line(text: str) -> str:
    return inert(" ".join(text.split()))
