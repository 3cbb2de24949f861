"""Findings as workflow commands of GitHub Actions, which show them beside the changed lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pipeline_dsl.diagnostics import Diagnostic

_DATA: Final[Mapping[int, str]] = MappingProxyType(str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"}))
_PROPERTY: Final[Mapping[int, str]] = MappingProxyType(
    {**_DATA, **str.maketrans({":": "%3A", ",": "%2C"})},
)


def as_annotations(diagnostics: Sequence[Diagnostic]) -> str:
    """Return one command a finding: ``::error file=r.sdn,line=2,col=1,…,title=MR201::message``."""
    return "\n".join(map(_command, diagnostics))


def _command(found: Diagnostic) -> str:
    properties = {"title": found.code}
    if found.span is not None:
        end_line, end_column = found.span.end_position
        properties = {
            "file": found.span.source.name,
            "line": str(found.span.line),
            "col": str(found.span.column),
            "endLine": str(end_line),
            "endColumn": str(end_column),
            **properties,
        }
    named = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    text = "\n".join(part for part in (found.message, found.reason, found.help) if part)
    return f"::{found.severity} {named}::{text.translate(_DATA)}"
