"""What can be said of data without reading all of it: its files, and the columns of its first rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline_dsl.api.contracts import Source, Template
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.records import Row
from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.choose import Chosen, failed, told
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import DataFile, DataPlan
from pipeline_dsl.recipe.suggest import nearest

PEEK = 5
"""Rows that ``check`` looks at."""


def data_plan(chosen: Chosen) -> DataPlan:
    """List a source's files with their sizes; a missing file has size -1 and was reported by ``peek``."""
    source: Source = chosen.made
    files = tuple(DataFile(path=str(path), bytes=_size(path)) for path in source.files())
    return DataPlan(source=chosen.ref, files=files)


def peek(chosen: Chosen) -> tuple[Sequence[Row], tuple[Diagnostic, ...]]:
    """Return the first rows of a source, or why there are none."""
    source: Source = chosen.made
    try:
        return source.rows(limit=PEEK), ()
    except MedrecipeError as error:
        return (), (told(error, chosen.span),)
    except Exception as error:  # noqa: BLE001 - the plugin border: the finding names the plugin
        return (), (failed(chosen.ref, chosen.span, error, "cannot be read"),)


def missing_columns(rows: Sequence[Row], template: Template, data: str, span: Span) -> Iterator[Diagnostic]:
    """Say which columns a template needs that the first rows lack."""
    for name in template.fields:
        if not rows or all(name in row for row in rows):
            continue
        have = tuple(dict.fromkeys(column for row in rows for column in row))
        near = nearest(name, have)
        listing = ", ".join(f"`{c}`" for c in have)
        yield Diagnostic(
            code=PlanCode.COLUMN_MISSING.code,
            message=f"the template needs the column `{name}`, which `{data}` lacks",
            span=span,
            help=f"its columns are {listing}; "
            f"map one with `columns: {{{name}: {near or 'COLUMN'}}}` in `data.{data}`",
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
