"""A name as it stands in a text."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Ref:
    """A name that refers to something declared elsewhere, and where it is written."""

    name: str
    span: Span
