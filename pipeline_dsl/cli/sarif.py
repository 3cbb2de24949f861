"""Findings as SARIF 2.1.0 (OASIS 2020), for code hosts and editors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pipeline_dsl import __version__
from pipeline_dsl.cli.documents import json_text
from pipeline_dsl.cli.page import read_page
from pipeline_dsl.diagnostics import Diagnostic, Edit, Fix, Severity, Span

Json = dict[str, Any]
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_NO_FILES = frozenset({"-", "--set", "--profile"})


def as_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """Return all findings as one SARIF log; columns count code points, ends are exclusive."""
    codes = sorted({found.code for found in diagnostics})
    driver = {
        "name": "medrecipe",
        "semanticVersion": __version__,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, codes.index(found.code)) for found in diagnostics],
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str) -> Json:
    page = read_page(code)
    if page is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": page.title},
        "help": {"text": page.text, "markdown": page.text},
    }


def _result(found: Diagnostic, rule: int) -> Json:
    place = _location(found.span)
    related = [
        {"id": number, **at, "message": {"text": second.message}}
        for number, second in enumerate(found.related, 1)
        if (at := _location(second.span)) is not None
    ]
    fixes = [_fix(fix) for fix in found.fixes if all(_is_file(e.span) for e in fix.edits)]
    return {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": "error" if found.severity is Severity.ERROR else "warning",
        "message": {"text": _message(found, placed=place is not None)},
        "locations": [place] if place else [],
        **({"relatedLocations": related} if related else {}),
        **({"fixes": fixes} if fixes else {}),
    }


def _message(found: Diagnostic, *, placed: bool) -> str:
    span = found.span
    place = "" if placed or span is None else f"{span.source.name}:{span.line}:{span.column}: "
    more = [text for text in (found.reason, found.help) if text]
    return "\n".join([place + found.message, *more])


def _fix(fix: Fix) -> Json:
    files = dict.fromkeys(edit.span.source.name for edit in fix.edits)
    changes = [
        {
            "artifactLocation": _artifact(name),
            "replacements": [_replacement(e) for e in fix.edits if e.span.source.name == name],
        }
        for name in files
    ]
    return {"description": {"text": fix.message}, "artifactChanges": changes}


def _replacement(edit: Edit) -> Json:
    return {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}


def _location(span: Span | None) -> Json | None:
    if span is None or not _is_file(span):
        return None
    place = {"artifactLocation": _artifact(span.source.name), "region": _region(span)}
    return {"physicalLocation": place}


def _is_file(span: Span) -> bool:
    return span.source.name not in _NO_FILES


def _artifact(name: str) -> Json:
    """A file as a URI reference, relative to the working directory."""
    return {"uri": quote(PurePath(os.path.relpath(name)).as_posix())}


def _region(span: Span) -> Json:
    end_line, end_column = span.end_position
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": end_line,
        "endColumn": end_column,
    }
