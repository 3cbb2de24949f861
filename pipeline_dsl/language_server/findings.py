"""Diagnostics as the protocol has them, each with its file."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lsprotocol import types as lsp

from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.language_server.files import Files
from pipeline_dsl.plan.codes import PlanCode

SOURCE = "medrecipe"
_SEVERITY = {True: lsp.DiagnosticSeverity.Error, False: lsp.DiagnosticSeverity.Warning}


def by_file(found: Iterable[Diagnostic], path: str, files: Files) -> dict[str, list[lsp.Diagnostic]]:
    """Findings by the real path of their file; those without a place stand at the top of ``path``."""
    sorted_: dict[str, list[lsp.Diagnostic]] = {}
    for one in found:
        real = os.path.realpath(one.span.source.name if one.span else path)
        sorted_.setdefault(real, []).append(diagnostic(one, files))
    return sorted_


def diagnostic(found: Diagnostic, files: Files) -> lsp.Diagnostic:
    """One finding."""
    deprecated = found.code == PlanCode.OPTION_DEPRECATED.code
    return lsp.Diagnostic(
        range=_shown(found.span, files),
        message=_message(found),
        severity=_SEVERITY[found.is_error],
        code=found.code,
        source=SOURCE,
        tags=[lsp.DiagnosticTag.Deprecated] if deprecated else None,
        related_information=[
            lsp.DiagnosticRelatedInformation(location=files.location(r.span), message=r.message)
            for r in found.related
        ]
        or None,
    )


def _shown(span: Span | None, files: Files) -> lsp.Range:
    """The place of a finding, at most to the end of its first line: a whole block in red helps nobody."""
    if span is None:
        return lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
    end = span.source.text.find("\n", span.start, span.end)
    stop = span.end if end < 0 or end == span.start else end
    return files.positions(span.source.text).range(span.start, stop)


def _message(found: Diagnostic) -> str:
    parts = [found.message, found.reason and f"why: {found.reason}", found.help and f"help: {found.help}"]
    return "\n".join(part for part in parts if part)
