"""What is to be asked: a text of the command line, standard input, or the rows of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.api.contracts import Source
from pipeline_dsl.api.errors import DataError, MedrecipeError
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import PlacedRow, Sample
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import ProviderRef
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.asking import NotAskedSoError, Question, choose_question

PROMPT = "prompt"
"""The column of a row that is typed text."""
_SOURCES = {".csv": "csv", ".json": "json", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One prompt, ready for a model."""

    id: str
    """The row's own ``id``, or its place."""
    question: Question
    sample: Sample


def typed(text: str, questions: Sequence[Question], template: str | None) -> Asked:
    """Make the prompt of a text; ``-`` stands for what comes on standard input."""
    question = choose_question(questions, template, typed=True)
    written = sys.stdin.read().removesuffix("\n") if text == "-" else text
    return Asked(id=PROMPT, question=question, sample=question.of_text(written))


def from_file(
    path: Path, catalog: Catalog, questions: Sequence[Question], template: str | None
) -> Iterator[Asked]:
    """Make the prompts of a file's rows: of their ``prompt``, or of the columns of a template.

    Raises:
        MedrecipeError: a row cannot be asked; its place is named.
    """
    for found in _rows(path, catalog):
        row = PlacedRow(found.place.replace(str(path.absolute()), str(path), 1), found.row)
        try:
            yield _of_row(row, questions, template)
        except MedrecipeError as error:
            error.place = error.place or row.place
            raise


def _of_row(row: PlacedRow, questions: Sequence[Question], template: str | None) -> Asked:
    columns = row.row
    id_ = str(columns.get("id", row.place))
    alone = not set(columns) - {PROMPT, "id"}
    wanted = [choose_question(questions, template, typed=alone)] if template or alone else questions
    for question in wanted:
        if not alone and question.fields and all(columns.get(name) is not None for name in question.fields):
            return Asked(id=id_, question=question, sample=question.of_row(columns))
    if columns.get(PROMPT) is not None:
        question = choose_question(questions, template, typed=True)
        return Asked(id=id_, question=question, sample=question.of_text(_text(columns[PROMPT])))
    needs = "; ".join(f"{q.name}: {', '.join(q.fields)}" for q in questions)
    raise NotAskedSoError(
        f"a row has neither a `{PROMPT}` nor the columns of a template",
        help=f"templates and columns: {needs}",
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise DataError(f"`{PROMPT}` is no text", code=PlanCode.DATA.code)
    return value


def _rows(path: Path, catalog: Catalog) -> Iterator[PlacedRow]:
    name = _SOURCES.get(path.suffix.lower(), "jsonl")
    if not catalog.find(Kind.SOURCE, name):
        msg = f"No plugin is loaded that reads {path.suffix or 'such'} files."
        raise click.UsageError(msg)
    plugin = catalog.find(Kind.SOURCE, name)[0].plugin.name
    ref = ProviderRef(
        kind=Kind.SOURCE, name=name, plugin=plugin, version="", options={"path": str(path.absolute())}
    )
    source: Source = make(catalog, ref)
    yield from source.rows()
