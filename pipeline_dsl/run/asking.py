"""Questions put to a trained stack, in the form in which it was trained: its phase's own templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pipeline_dsl.api.contracts import Template
from pipeline_dsl.api.errors import DataError, MedrecipeError
from pipeline_dsl.api.records import Message, Row, Sample
from pipeline_dsl.api.trained import Asking
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import PhasePlan, Plan, ProviderRef
from pipeline_dsl.registry import Catalog

_TYPED = "a question"
"""What messages call the place of what a person typed."""


class NotAskedSoError(MedrecipeError):
    """A template cannot be asked in this way (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.NOT_ASKED_SO.code


class UnknownTemplateError(MedrecipeError):
    """The phase has no template of that name (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.UNKNOWN_TEMPLATE.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A template of a phase, ready to be asked."""

    ref: ProviderRef
    template: Template

    @property
    def name(self) -> str:
        """The template's name."""
        return self.ref.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that a prompt needs; all of the template's where it cannot do without a completion."""
        asks = self.template.asks if isinstance(self.template, Asking) else self.template.fields
        return tuple(asks)

    @property
    def takes_turns(self) -> bool:
        """Whether earlier turns, and a system turn, can stand before a question."""
        return isinstance(self.template, Asking) and self.template.takes_turns

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer, beside the model's end marks."""
        return tuple(self.template.stops) if isinstance(self.template, Asking) else ()

    def of_text(self, text: str, turns: Sequence[Message] = ()) -> Sample:
        """Make the prompt of what a person typed, after earlier turns.

        Raises:
            NotAskedSoError: the template takes no turns, or needs more than one text.
            DataError: the text cannot be taken: it is empty, or holds a control token.
        """
        if not isinstance(self.template, Asking):
            raise NotAskedSoError(
                f"the template `{self.name}` makes no prompt out of a text",
                help=f"give rows with its columns in a --file: {', '.join(self.fields)}",
            )
        if turns and not self.takes_turns:
            raise NotAskedSoError(
                f"the template `{self.name}`, in which this was trained, takes no turns before a question",
                help="send the last question alone",
            )
        with working(self.ref, "read"):
            try:
                row = self.template.read(text)
            except DataError as error:
                raise _about_the_question(error) from error
        return self._ask(self.template, row, turns)

    def of_row(self, row: Row) -> Sample:
        """Make the prompt of a row; what it has beside the columns of a prompt is not looked at.

        Raises:
            NotAskedSoError: a column is missing.
            DataError: a column is empty or no text.
        """
        missing = [name for name in self.fields if row.get(name) is None]
        if missing:
            raise NotAskedSoError(
                f"the template `{self.name}` needs {', '.join(self.fields)}; missing: {', '.join(missing)}",
                help="name another one with --template, or give the columns",
            )
        if isinstance(self.template, Asking):
            return self._ask(self.template, row, ())
        with working(self.ref, "render"):
            return next(iter(self.template.render(row, _TYPED)))

    def _ask(self, template: Asking, row: Row, turns: Sequence[Message]) -> Sample:
        with working(self.ref, "ask"):
            try:
                return template.ask(row, turns)
            except DataError as error:
                raise _about_the_question(error) from error


def questions_of(plan: Plan, catalog: Catalog, phase: PhasePlan | None) -> tuple[Question, ...]:
    """Return the templates of a phase, each once: those of its mix by weight, then those of its stages.

    For the untouched base they are those of all phases.
    """
    phases = [phase] if phase is not None else list(reversed(plan.phases))
    refs: dict[tuple[str, str], ProviderRef] = {}
    for each in phases:
        mixed = sorted(each.mix, key=lambda entry: -entry.weight)
        found = [entry.template for entry in mixed]
        found += [stage.template for stage in each.stages if stage.template is not None]
        for ref in found:
            refs.setdefault((ref.name, ref.content), ref)
    return tuple(Question(ref=ref, template=_made(catalog, ref)) for ref in refs.values())


def choose_question(questions: Sequence[Question], name: str | None, *, typed: bool) -> Question:
    """Return the question of a name; without one the first, or the first that takes what a person types.

    Raises:
        UnknownTemplateError: there is none of that name.
    """
    if name is not None:
        for question in questions:
            if question.name == name:
                return question
        raise UnknownTemplateError(
            f"the phase has no template `{name}`", help=f"it has {', '.join(q.name for q in questions)}"
        )
    if typed:
        return next((q for q in questions if isinstance(q.template, Asking)), questions[0])
    return questions[0]


def _made(catalog: Catalog, ref: ProviderRef) -> Any:
    return make(catalog, ref)


def _about_the_question(error: DataError) -> DataError:
    """The same fault, of what was asked: it stands in no file."""
    return DataError(error.message, help=error.help, code=error.code)
