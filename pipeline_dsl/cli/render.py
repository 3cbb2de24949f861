"""Findings as text for people (full or one line each) and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline_dsl.cli.documents import SCHEMA_VERSION, json_text
from pipeline_dsl.cli.excerpt import excerpt
from pipeline_dsl.cli.terminal import Paint
from pipeline_dsl.diagnostics import Diagnostic, Severity, Span

if TYPE_CHECKING:
    from pipeline_dsl.api.errors import MedrecipeError

Json = dict[str, Any]


def as_text(diagnostics: Sequence[Diagnostic], paint: Paint) -> str:
    """Return all findings with their source lines, an empty line between two, and a count of the errors."""
    blocks = [_block(d, paint) for d in diagnostics]
    return "\n\n".join([*blocks, *_count(diagnostics, paint)])


def as_concise(diagnostics: Sequence[Diagnostic]) -> str:
    """Return one line for each finding: ``file:line:column: error[MR101]: message``."""
    return "\n".join(f"{_place(d.span)}{d.severity}[{d.code}]: {_one_line(d.message)}" for d in diagnostics)


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """Return all findings as one JSON document."""
    found = [diagnostic_json(d) for d in diagnostics]
    return json_text({"schema_version": SCHEMA_VERSION, "diagnostics": found})


def diagnostic_json(diagnostic: Diagnostic) -> Json:
    """Return one finding as JSON; places are 1-based, columns count code points, ends are exclusive."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        **_place_json(diagnostic.span),
        "help": diagnostic.help,
        "related": [{"message": r.message, **_place_json(r.span)} for r in diagnostic.related],
    }


def fault_text(error: MedrecipeError, paint: Paint) -> str:
    """Return what ended a command: code, fact, place and what to do."""
    lines = [f"{paint.red(f'error[{error.code}]')}: {paint.bold(error.message)}"]
    if error.place:
        lines.append(f" {paint.blue('-->')} {error.place}")
    if error.help:
        lines.append(f"  {paint.blue('=')} help: {error.help}")
    return "\n".join(lines)


def _block(diagnostic: Diagnostic, paint: Paint) -> str:
    colour = paint.red if diagnostic.severity is Severity.ERROR else paint.yellow
    lines = [f"{colour(f'{diagnostic.severity}[{diagnostic.code}]')}: {paint.bold(diagnostic.message)}"]
    spans = [s for s in (diagnostic.span, *(r.span for r in diagnostic.related)) if s is not None]
    margin = max((len(str(s.line)) for s in spans), default=1)
    if diagnostic.span is not None:
        lines += excerpt(diagnostic.span, margin=margin, mark="^", paint=paint, colour=colour)
    for related in diagnostic.related:
        lines += excerpt(
            related.span,
            margin=margin,
            mark="-",
            paint=paint,
            colour=paint.blue,
            label=related.message,
            arrow=":::",
        )
    lines += _remark("note", diagnostic.reason, margin, paint) + _remark(
        "help", diagnostic.help, margin, paint
    )
    return "\n".join(lines)


def _remark(word: str, text: str | None, margin: int, paint: Paint) -> list[str]:
    if not text:
        return []
    first, *rest = text.splitlines()
    indent = " " * (margin + len(word) + len(" = : "))
    return [f"{' ' * margin} {paint.blue('=')} {word}: {first}", *(indent + line for line in rest)]


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
    return f"{span.source.name}:{span.line}:{span.column}: " if span else ""


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
    return " ".join(text.split())
