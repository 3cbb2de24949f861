"""What can be said of data without reading all of it: its files, and the columns of its first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline_dsl.api.contracts import Source, Template
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.records import Row
from pipeline_dsl.diagnostics import Diagnostic, Related, Span
from pipeline_dsl.plan.choose import Chosen, failed, make
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.files import at_its_path
from pipeline_dsl.plan.filtering import KindError, RowFilter
from pipeline_dsl.plan.hashing import hash_file
from pipeline_dsl.plan.model import DataFile, DataPlan, Plan, ProviderRef, ViewPlan
from pipeline_dsl.plan.views import first_rows
from pipeline_dsl.recipe.data import block_and_part
from pipeline_dsl.recipe.model import Recipe, Use, View
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.suggest import nearest, renamed
from pipeline_dsl.registry import Catalog
from pipeline_dsl.syntax.nodes import Scalar

PEEK = 5
"""Rows that ``check`` looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a first look at a source gave: nothing but findings where it cannot be read."""

    rows: Sequence[Row] = ()
    plan: DataPlan | None = None
    """Of the whole block, no part being chosen."""
    findings: tuple[Diagnostic, ...] = ()


def look(name: str, chosen: Chosen, view: View, seed: int, use: Use) -> Look:
    """Look at the files of a source and at its first rows; not at all where they would have to be fetched.

    Args:
        name: of the data block.
        chosen: the source.
        view: the words of the language beside it.
        seed: of the recipe, for a split.
        use: its block.
    """
    source: Source = chosen.made
    planned = _view_plan(view, seed)
    try:
        if not source.here():
            return Look(plan=DataPlan(source=chosen.ref, files=(), view=planned, here=False))
        rows = first_rows(name, source, planned, PEEK)
        files = _files(source)
    except MedrecipeError as error:
        return Look(findings=(at_its_path(error, chosen, use),))
    except Exception as error:  # noqa: BLE001 - the plugin border: the finding names the plugin
        return Look(findings=(failed(chosen.ref, chosen.span, error, "cannot be read"),))
    findings = tuple(_unlike(rows, view))
    return Look(rows=rows, plan=DataPlan(source=chosen.ref, files=files, view=planned), findings=findings)


def data_in_use(recipe: Recipe, blocks: dict[str, DataPlan]) -> dict[str, DataPlan]:
    """Return the data that mixes and tasks refer to, under the names by which they do."""
    names = [entry.data.name for phase in recipe.phases for entry in phase.mix]
    names += [task.data.name for task in recipe.tasks]
    found = {}
    for name in dict.fromkeys(names):
        block, part = block_and_part(name)
        if block in blocks:
            planned = blocks[block]
            found[name] = replace(planned, view=replace(planned.view, part=part))
    return found


def prepare_data(plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> Plan:
    """Have all data there, and return the plan with the files of what was not here before, hashed.

    What is known of a file already stays, so that a change shows.

    Raises:
        DataError: a file is missing or cannot be fetched.
    """
    known: list[tuple[ProviderRef, tuple[DataFile, ...]]] = []
    data = {}
    for name, planned in plan.data.items():
        files = next((files for ref, files in known if ref == planned.source), None)
        if files is None:
            source: Source = make(catalog, planned.source)
            source.prepare(say)
            files = planned.files if planned.here else tuple(hash_file(file) for file in _files(source))
            known.append((planned.source, files))
        data[name] = replace(planned, files=files, here=True)
    return replace(plan, data=data)


def _view_plan(view: View, seed: int) -> ViewPlan:
    return ViewPlan(
        columns=dict(view.columns),
        filter=view.filter.text if view.filter else None,
        limit=view.limit,
        split=view.split,
        group_by=tuple(ref.name for ref in view.group_by),
        seed=seed if view.split else 0,
        streaming=view.streaming,
        shuffle_buffer=view.shuffle_buffer,
        pii=view.pii,
    )


def _files(source: Source) -> tuple[DataFile, ...]:
    return tuple(DataFile(path=str(path), bytes=_size(path)) for path in source.files())


def _unlike(rows: Sequence[Row], view: View) -> Iterator[Diagnostic]:
    """Say what the first rows have not, or hold otherwise, than the words of the data block say."""
    asked = [*((ref, "filter") for ref in (view.filter.names if view.filter else ()))]
    asked += [(ref, "group") for ref in view.group_by]
    missing = list(_not_there(rows, asked))
    yield from missing
    if view.filter is not None and not missing:
        yield from _other_kind(rows, RowFilter(view.filter.text), view.filter.span)


def _not_there(rows: Sequence[Row], asked: Iterable[tuple[Ref, str]]) -> Iterator[Diagnostic]:
    for ref, word in asked:
        if all(ref.name in row for row in rows):
            continue
        have = _columns(rows)
        near = nearest(ref.name, have)
        yield Diagnostic(
            code=PlanCode.VIEW_COLUMN.code,
            message=f"the {word} asks for the column `{ref.name}`, which the data lacks",
            span=ref.span,
            help=(f"did you mean `{near}`? " if near else "") + f"its columns are {_listed(have)}",
            fixes=renamed(ref.span, ref.name, have),
        )


def _other_kind(rows: Sequence[Row], wanted: RowFilter, span: Span) -> Iterator[Diagnostic]:
    for row in rows:
        try:
            wanted.matches(row)
        except KindError as error:
            yield Diagnostic(
                code=PlanCode.FILTER_KIND.code,
                message=f"the column `{error.column}` is {error.kind}, and the filter compares it with "
                f"{error.wanted}",
                span=span,
                help="write numbers without quotes and texts in single quotes",
            )
            return


def _columns(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for row in rows for column in row))


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f"`{c}`" for c in columns)


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
        have = _columns(rows)
        near = nearest(name, have)
        written = _written(name, use)
        own = f"did you mean `{{{near}}}`? " if near and written else ""
        yield Diagnostic(
            code=(PlanCode.TEMPLATE_FIELD if written else PlanCode.COLUMN_MISSING).code,
            message=f"the template needs the column `{name}`, which `{data}` lacks",
            span=written or asked,
            help=f"{own}its columns are {_listed(have)}; "
            f"map one with `columns: {{{name}: {near or 'COLUMN'}}}` in `data.{block_and_part(data)[0]}`",
            related=(Related(message="used here", span=asked),) if written else (),
            fixes=renamed(_inside_braces(written), name, have) if written else (),
        )


def _inside_braces(field: Span) -> Span:
    return Span(field.source, field.start + 1, field.end - 1)


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
