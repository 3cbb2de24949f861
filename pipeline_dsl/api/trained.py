"""What may be done with a trained stack: ask it, share its base, fold it, export it.

``Sharing``, ``Folding`` and ``Asking`` are what adapters and templates can do beside their contract; where
one cannot, the commands that need it say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pipeline_dsl.api.contracts import LanguageModel
    from pipeline_dsl.api.records import (
        MergeProof,
        Message,
        ModelIdentity,
        ModelShape,
        Row,
        Sample,
        StackLayer,
    )


@runtime_checkable
class Asking(Protocol):
    """A template that makes a prompt where there is no completion yet: for people who type one."""

    asks: Sequence[str]
    """The columns that a prompt needs."""
    takes_turns: bool
    """Whether earlier turns, and a system turn, can stand before a question."""
    stops: Sequence[str]
    """Texts that end an answer, beside the model's end marks: with them a next question would begin."""

    def read(self, text: str) -> Row:
        """Return the columns of what a person typed, or raise MedrecipeError (MR266): how to type it."""

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:
        """Make the prompt of a row, after earlier turns; DataError where a column is missing."""


@runtime_checkable
class Sharing(Protocol):
    """An adapter whose stacks can be on one base together, each used by the texts that ask for it."""

    def foundation(self, layers: Sequence[StackLayer], base: ModelIdentity) -> str:
        """Return what has to be done to the base before a finished stack is put on it, "" for nothing.

        Stacks of one foundation can be on one base together. The answer needs no model.
        """

    def attach_several(self, model: LanguageModel, stacks: Mapping[str, Sequence[StackLayer]]) -> None:
        """Put finished stacks of one foundation on a freshly loaded model, by the names that texts ask for.

        With the foundation "" a text may ask for ``generation.BASE`` too: the untouched base writes it.

        Raises:
            ModelError: an adapter is damaged or does not fit, or the stacks have not one foundation.
        """


@runtime_checkable
class Folding(Protocol):
    """An adapter whose stacks can leave medrecipe as one thing."""

    def fold(self, model: LanguageModel, layers: Sequence[StackLayer]) -> MergeProof:
        """Fold a whole finished stack into the weights of a freshly loaded model, with a proof.

        What was merged in training is merged as it was then; all that was active above it is summed in fp32
        and rounded once. A quantised base is unpacked first: its adapters belong to the unpacked weights.
        """

    def concatenate(self, model: LanguageModel, layers: Sequence[StackLayer], folder: Path) -> None:
        """Write a whole finished stack as one adapter for the untouched base, readable by stock PEFT.

        Raises:
            ModelError: MR473, no single adapter does what the stack does.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """A finished stack that is to leave medrecipe."""

    load: Callable[[], LanguageModel]
    """Loads the untouched base afresh."""
    base: ModelIdentity
    """What that base is, known without loading it."""
    layers: Sequence[StackLayer]
    """The finished stack, bottom first; the roles are those that it had when it was trained."""
    files: Mapping[str, Path]
    """The files of the run that belong to the stack, by their names in the run's folder."""
    folder: Path
    """Where to write; it is there and empty, and gets its final name once all is written."""
    dtype: str | None
    """The number format of merged weights; None for that of the base."""
    say: Callable[[str], None]
    """Takes one line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an exporter may speak of where it shows how to open what it wrote."""

    folder: str
    """What the exported folder is called."""
    base: ModelIdentity
    layers: Sequence[StackLayer]
    """The stack, bottom first; the folders are relative to a run's."""
    example: Sample | None
    """A prompt in the form in which the stack was trained, placeholders in braces; None: none can be made."""
    stops: Sequence[str]
    """Texts that end an answer, beside the model's end marks."""


class Exporter(Protocol):
    """What a ``medrecipe_exporters`` provider makes: a form in which a stack leaves medrecipe.

    One that knows beforehand how much it writes is ``Measured`` too.
    """

    library: str
    """Which library opens it, as model cards call it: ``transformers``, ``peft``, ``medrecipe``."""
    takes_dtype: bool
    """Whether it writes weights that can be rounded to another number format."""

    def export(self, job: ExportJob) -> MergeProof | None:
        """Write it, or raise ModelError; return the proof of what was merged."""

    def opening(self, shown: Shown) -> str:
        """Return Markdown for the model card; its first fenced block opens it in a line or two."""


@runtime_checkable
class Measured(Protocol):
    """An exporter that knows beforehand how much it writes."""

    def size(self, job: ExportJob, shape: ModelShape) -> int:
        """Return about how many bytes it will write; nothing is loaded for it."""
