"""What only the whole of the data shows: rows that are taught and asked, answers that are always the same.

Streams are not read through for this: their rows are held against what is asked as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from pipeline_dsl.api.contracts import Template
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import PlacedRow, Sample
from pipeline_dsl.plan.again import Again
from pipeline_dsl.plan.border import each, title
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.leaks import Leak, Text, contained_rows, same_rows_of, text_of, where_shingles_stand
from pipeline_dsl.plan.model import MixPlan, Plan, ProviderRef, TaskPlan
from pipeline_dsl.plan.views import view_of
from pipeline_dsl.registry import Catalog

MOST_CHARACTERS = 5_000_000
"""Text of one source that is searched for rows contained in it; exact ones are always searched for."""
_ROW = 64
_FEW_ANSWERS = 10
"""Questions below which the same answer to all of them may be chance."""


def inspect_data(plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> None:
    """Look through the data of phases and tasks, and say what is doubtful.

    A task on the very data that a phase learns from asks for recall, and is meant so; rows that stand in
    different data, or in different parts of one, should not be the same.

    Raises:
        DataError: MR550 a row is asked that another source teaches; and what reading the data raises.
    """
    reader = _Reader(plan, catalog)
    uses = [(e.data, e.template) for p in plan.phases for e in p.mix] + [
        (t.data, t.template) for t in plan.tasks
    ]
    for data, template in _once(uses):
        if reader.readable(data) and (doubt := _one_answer(reader, data, template)):
            say(doubt)
    taught = {entry.data: entry for phase in plan.phases for entry in phase.mix}
    for entry in taught.values():
        if reader.readable(entry.data):
            _compare(reader, entry, say)


def stream_guard(plan: Plan, entry: MixPlan, catalog: Catalog) -> Callable[[PlacedRow], None]:
    """Return what holds each row of a stream, as it comes, against the rows that tasks on other data ask.

    It raises DataError MR550 at a row that is the same as one of them.
    """
    reader = _Reader(plan, catalog)
    fields = reader.fields(entry.template)
    asked: list[tuple[TaskPlan, list[str], dict[tuple[str, ...], str]]] = []
    for task in plan.tasks:
        columns = sorted({*fields} & {*reader.fields(task.template)})
        if task.data != entry.data and columns and reader.readable(task.data):
            texts = reader.texts(task.data, task.template)
            known = {text.key(columns): text.place for text in texts}
            asked.append((task, columns, {key: place for key, place in known.items() if any(key)}))

    def hold(placed: PlacedRow) -> None:
        text = text_of(placed.place, placed.row, fields)
        for task, columns, known in asked:
            place = known.get(text.key(columns))
            if place is not None:
                raise _leak("a row", task, entry, f"{place} and {placed.place}")

    return hold


def _compare(reader: _Reader, entry: MixPlan, say: Callable[[str], None]) -> None:
    """Hold one taught source against all data that is asked."""
    asking = {task.data: task for task in reversed(reader.plan.tasks)}
    tasks = [t for t in asking.values() if t.data != entry.data and reader.readable(t.data)]
    if not tasks:
        return
    taught, asked = (
        reader.texts(entry.data, entry.template),
        [reader.texts(t.data, t.template) for t in tasks],
    )
    found = same_rows_of(asked, taught)
    small = taught.kept or ()
    where = where_shingles_stand(small)
    for task, same, texts in zip(tasks, found, asked, strict=True):
        rows = sum(1 for _ in texts)
        if same:
            share = f"{len(same)} of {rows} rows"
            raise _leak(share, task, entry, f"{same[0].asked} and {same[0].taught}")
        if contained := contained_rows(texts, small, where):
            _say_contained(contained, rows, task, entry, say)


def _say_contained(
    contained: Sequence[Leak], asked: int, task: TaskPlan, entry: MixPlan, say: Callable[[str], None]
) -> None:
    say(
        f"{len(contained)} of {asked} rows of `{task.data}` share most of their text with rows of "
        f"`{entry.data}` (first: {contained[0].asked} and {contained[0].taught}); "
        "if they are of one case, split with `group_by`"
    )


def _leak(what: str, task: TaskPlan, entry: MixPlan, place: str) -> DataError:
    return DataError(
        f"`{task.data}` shares {what} with `{entry.data}`: the task `{task.name}` asks what is taught",
        code=PlanCode.LEAK.code,
        place=place,
        help=f"take them out of one, or split one source; to ask for recall, ask `{entry.data}` itself",
    )


def _one_answer(reader: _Reader, data: str, template: ProviderRef) -> str | None:
    """What to say where all questions have the same answer."""
    rows = reader.rows(data, template)
    count = sum(1 for _ in rows)
    first = next(iter(reader.samples(islice(rows, 1), template)), None)
    if first is None or not first.choices or count < _FEW_ANSWERS:
        return None
    answers = {sample.answer for sample in reader.samples(rows, template)}
    if len(answers) > 1:
        return None
    return f"all {count} answers of `{data}` are {answers.pop()}: are they in the right column?"


def _once(uses: Sequence[tuple[str, ProviderRef]]) -> list[tuple[str, ProviderRef]]:
    found: list[tuple[str, ProviderRef]] = []
    for use in uses:
        if use not in found:
            found.append(use)
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads each source once if it is small, else as often as it is asked for it."""

    plan: Plan
    catalog: Catalog
    _rows: dict[str, Again[PlacedRow]] = field(default_factory=dict)
    _texts: dict[tuple[str, tuple[str, ...]], Again[Text]] = field(default_factory=dict)

    def readable(self, data: str) -> bool:
        """Whether it can be read as a whole now."""
        planned = self.plan.data[data]
        return planned.here and not planned.view.streaming

    def rows(self, data: str, template: ProviderRef) -> Iterable[PlacedRow]:
        """All rows that a run may use."""
        if data not in self._rows:
            view = view_of(self.plan, data, self.catalog, self.fields(template))
            self._rows[data] = Again(lambda: view.each(self.plan.max_samples), _weight, MOST_CHARACTERS)
        return self._rows[data]

    def fields(self, template: ProviderRef) -> Sequence[str]:
        """The columns that a template reads."""
        made: Template = make(self.catalog, template)
        return made.fields

    def samples(self, rows: Iterable[PlacedRow], template: ProviderRef) -> Iterator[Sample]:
        """Rows through a template."""
        made: Template = make(self.catalog, template)
        for placed in rows:
            yield from each(title(template), "render", partial(made.render, placed.row, placed.place))

    def texts(self, data: str, template: ProviderRef) -> Again[Text]:
        """What is compared of them."""
        fields = tuple(self.fields(template))
        if (data, fields) not in self._texts:
            rows = self.rows(data, template)
            self._texts[data, fields] = Again(
                lambda: (text_of(placed.place, placed.row, fields) for placed in rows),
                lambda text: sum(map(len, text.columns.values())),
                MOST_CHARACTERS,
            )
        return self._texts[data, fields]


def _weight(placed: PlacedRow) -> int:
    """Characters of a row, about, and what it takes besides."""
    return _ROW + sum(len(value) for value in placed.row.values() if isinstance(value, str))
