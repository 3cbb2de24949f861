"""What can be said of data without reading all of it: its files, and the columns of its first rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.api.contracts import Source, Template
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.records import Row
from pipeline_dsl.diagnostics import Diagnostic, Related, Span
from pipeline_dsl.plan.choose import Chosen, failed, told
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import DataFile, DataPlan
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.recipe.suggest import nearest
from pipeline_dsl.syntax.nodes import Scalar

PEEK = 5
"""Rows that ``check`` looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a first look at a source gave: nothing but findings where it cannot be read."""

    rows: Sequence[Row] = ()
    plan: DataPlan | None = None
    findings: tuple[Diagnostic, ...] = ()


def look(chosen: Chosen) -> Look:
    """Look at the files of a source and at its first rows."""
    source: Source = chosen.made
    try:
        rows = source.rows(limit=PEEK)
        files = tuple(DataFile(path=str(path), bytes=_size(path)) for path in source.files())
    except MedrecipeError as error:
        return Look(findings=(told(error, chosen.span),))
    except Exception as error:  # noqa: BLE001 - the plugin border: the finding names the plugin
        return Look(findings=(failed(chosen.ref, chosen.span, error, "cannot be read"),))
    return Look(rows=rows, plan=DataPlan(source=chosen.ref, files=files))


def missing_columns(
    rows: Sequence[Row], template: Template, data: str, use: Use, asked: Span
) -> Iterator[Diagnostic]:
    """Say which columns a template needs that the first rows lack.

    Args:
        rows: the first rows of the data.
        template: the template.
        data: the name of the data.
        use: the block of the template: a field that it writes out in braces is the recipe's own mistake.
        asked: where the two are brought together.
    """
    for name in template.fields:
        if not rows or all(name in row for row in rows):
            continue
        have = tuple(dict.fromkeys(column for row in rows for column in row))
        near = nearest(name, have)
        listing = ", ".join(f"`{c}`" for c in have)
        written = _written(name, use)
        own = f"did you mean `{{{near}}}`? " if near and written else ""
        yield Diagnostic(
            code=(PlanCode.TEMPLATE_FIELD if written else PlanCode.COLUMN_MISSING).code,
            message=f"the template needs the column `{name}`, which `{data}` lacks",
            span=written or asked,
            help=f"{own}its columns are {listing}; "
            f"map one with `columns: {{{name}: {near or 'COLUMN'}}}` in `data.{data}`",
            related=(Related(message="used here", span=asked),) if written else (),
        )


def _written(name: str, use: Use) -> Span | None:
    """Where a template's own texts have a field in braces."""
    field = f"{{{name}}}"
    for entry in use.options:
        node = entry.value
        if isinstance(node, Scalar) and isinstance(node.value, str) and field in node.value:
            start = node.span.start + node.span.text.find(field)
            exact = Span(node.span.source, start, start + len(field))
            return exact if field in node.span.text else node.span
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
