"""What a provider's factory must return, kind by kind. Structural: no class of ours need be inherited.

A factory is called with the provider's options and does no work. Heavy imports (torch, transformers) stand
inside the methods that need them, so that ``medrecipe check`` never loads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pipeline_dsl.api.events import Event
    from pipeline_dsl.api.generation import Decoder
    from pipeline_dsl.api.records import (
        Control,
        LoadRequest,
        Memory,
        ModelIdentity,
        ModelShape,
        Need,
        Observation,
        PlacedRow,
        Preparation,
        Prepared,
        Row,
        Sample,
        Score,
        StackLayer,
        StackReport,
        TrainOutcome,
    )


class LanguageModel(Protocol):
    """A loaded model. The engine hands it on and never looks at ``module`` and ``tokenizer``.

    One that encodes many samples faster together than one by one has a method more, which a trainer may call
    beside other Python code: ``encode_all(samples) -> Sequence[tuple[Sequence[int], int]]``, what ``encode``
    returns for each, or raises for the first that it refuses.
    """

    module: Any
    """A ``torch.nn.Module`` with transformers' causal-LM forward."""
    tokenizer: Any
    """A transformers tokenizer with an end-of-sequence and a padding token."""
    device: str
    dtype: str
    ends: frozenset[int]
    """Ids that count as end marks: end of sequence, end of turn."""
    new_tokens: Mapping[int, str]
    """Tokens that the recipe added to the vocabulary, by their ids; empty for none."""
    fresh_tokens: Mapping[int, str]
    """Those of them whose rows a new adapter trains, once it is attached: its data has to have them all."""

    def encode(self, sample: Sample) -> tuple[list[int], int]:
        """Return token ids of prompt + completion + end mark, and the length of the prompt part.

        One beginning-of-sequence mark at most; the end mark is the last id. Nothing is cut.
        """

    def observe(
        self, samples: Sequence[Sample], need: Need, *, max_new_tokens: int = 32
    ) -> list[Observation]:
        """See what the model does on samples, greedily, in eval mode.

        Leaves mode and random state as they were.
        """

    def decoder(self) -> Decoder:
        """Return what writes texts with it: all texts of one model go through one decoder."""

    def save(self, folder: Path, dtype: str | None = None) -> None:
        """Write it with its tokenizer as transformers reads it: safetensors, added tokens included.

        Args:
            folder: where to; it is there and empty.
            dtype: the number format to round to; None for the one that it has.

        Raises:
            ModelError: MR473, it is quantised or carries adapters.
        """

    def memory(self) -> Memory:
        """Return what this process holds on the model's device now, and the most since loading began."""

    def close(self) -> None:
        """Free the memory."""


class Model(Protocol):
    """What a ``medrecipe_models`` provider makes: a base that can be identified, measured and loaded.

    One that can add tokens to its vocabulary has a method more, after ``prepare``:
    ``fertility(samples) -> Fertility | None``, None where it adds none. One that knows its licence has
    ``licence() -> Licence | None``. One that chooses the number format of its weights has
    ``precision(device) -> Precision``; what it chose stands as its option ``dtype`` in the plan of a run, so
    that other machines open that run in the same numbers. One that knows its linear layers without its files
    has ``layers() -> Sequence[str] | None``, the last parts of their names: ``check`` asks it.
    """

    quantisation: str
    """``nf4``, ``fp4``, ``int8`` or "", known from the options alone: nothing is merged into such a base."""

    def prepare(self, say: Callable[[str], None]) -> None:
        """Make its files be there (download, build) or raise ModelError; cheap when they are."""

    def device(self, wanted: str) -> str:
        """Return the device that ``auto``, ``cpu`` or ``cuda:N`` means on this machine.

        MachineError where it is not there; needs no files.
        """

    def identity(self, device: str) -> ModelIdentity:
        """Return what makes it this base on that device, without loading weights.

        ModelError MR451 where ``prepare`` has to get its files first.
        """

    def shape(self) -> ModelShape:
        """Return its module shapes, from the configuration alone (no weights, no network)."""

    def count_tokens(self, samples: Sequence[Sample]) -> int:
        """Number of tokens that training on these samples reads; needs the tokenizer alone.

        After ``prepare``.
        """

    def load(self, request: LoadRequest) -> LanguageModel:
        """Load it, or raise ModelError or MachineError."""


class Adapter(Protocol):
    """What a ``medrecipe_adapters`` provider makes: one kind of adapter with its options.

    What more it can do once its adapters are trained is in ``trained``: ``Sharing``, ``Folding``.

    One that does not bear every stack has a method more, asked of the topmost layer before anything is done:
    ``verify_stack(layers) -> None``, ModelError for a stack that cannot be built. One that is told which
    layers to sit on has ``missed_layers(layers) -> Sequence[str]``: those that are not among a model's
    ``layers()``.
    """

    def count(self, shape: ModelShape) -> int:
        """Number of parameters it trains on a model, or ModelError where its targets match nothing."""

    def attach(self, model: LanguageModel, layers: Sequence[StackLayer]) -> StackReport:
        """Put a stack on a freshly loaded model.

        Called on the adapter of the topmost layer. ``merge`` layers are folded into the weights (summed in
        fp32, rounded once, with a proof), ``freeze`` layers are active and not trained, ``train`` layers are
        new, ``continue`` layers are loaded and go on training.
        """

    def save(self, model: LanguageModel, name: str, folder: Path) -> None:
        """Write the weights and configuration of one attached adapter, readable by stock PEFT."""


class Source(Protocol):
    """What a ``medrecipe_sources`` provider makes: rows of data, as they are.

    Columns, filters, splits, limits and shuffling are words of the language and are applied by the engine.

    One that knows without reading them how many rows it has at most has a method more,
    ``count() -> int | None``: with it a long preparation can say how far it is.
    """

    def prepare(self, say: Callable[[str], None]) -> None:
        """Make its files be there (fetch them), or raise DataError; cheap when they are."""

    def here(self) -> bool:
        """Whether its rows can be read now, without a network."""

    def files(self) -> Sequence[Path]:
        """Local files that it reads: checked, and hashed for fingerprints. None while it is not ``here``."""

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the rows from the 0-based ``start`` on, in constant memory, or raise DataError at a place."""


class Template(Protocol):
    """What a ``medrecipe_templates`` provider makes: rows to samples. See ``trained.Asking`` too."""

    fields: Sequence[str]
    """The columns that it needs."""

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """Make the samples of one row, or raise DataError."""

    def text(self) -> str:
        """Everything that shapes its output, as text: hashed into fingerprints."""


class Metric(Protocol):
    """What a ``medrecipe_metrics`` provider makes: a pure function of observations."""

    need: Need
    higher_is_better: bool
    max_new_tokens: int
    details: Sequence[str]
    """Names of the further figures that its scores carry."""

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score at least one observation."""


class TrainingSet(Protocol):
    """The samples of a training. Sample i of epoch e is a pure function of (seed, e, i)."""

    def __len__(self) -> int:
        """Samples an epoch."""

    def epoch(self, number: int) -> Sequence[Prepared]:
        """Samples of a 0-based epoch in their order."""


@runtime_checkable
class TrainingStream(Protocol):
    """Samples without an end, in constant memory; what follows a position depends on it and the seed."""

    def since(self, position: int) -> Iterator[tuple[int, Prepared]]:
        """Yield samples and the position after each; 0 is the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """One training to be done."""

    phase: str
    model: LanguageModel
    samples: TrainingSet | TrainingStream
    seed: int
    folder: Path
    """Where checkpoints go; theirs alone."""
    resume: bool
    """Go on from the newest valid checkpoint in ``folder``, if there is one."""
    fire: Callable[[Event], Control]
    """To be called at every TrainingEvent; what it returns is to be obeyed.

    A stop at the ``started`` of a training that goes on from a checkpoint is to be obeyed before any step: it
    was wished for when the checkpoint was written.
    """
    say: Callable[[str], None]
    """Takes one line for the user."""
    max_steps: int | None = None
    """Optimizer steps, schedule included, instead of the trainer's own count."""


class Trainer(Protocol):
    """What a ``medrecipe_trainers`` provider makes.

    One that knows how many checkpoints it may have on disk at once has a method more, by which disk space is
    estimated: ``checkpoints() -> int``.

    One that says for the plan how it goes about a model, in a few words, has ``manner(shape) -> str``.

    One that prepares in constant memory has a method more, called where its samples are kept on disk:
    ``prepare_all(model, samples: Iterable[Sample]) -> Iterator[Preparation]``. What it yields, put together,
    is what ``prepare`` returns; what is wrong with samples it raises after the last of them, with the counts
    of all.
    """

    def preparation(self) -> Mapping[str, Any]:
        """Return the options that shape prepared samples: part of the key under which these are kept."""

    def prepare(self, model: LanguageModel, samples: Sequence[Sample]) -> Preparation:
        """Encode samples and hold them to the guard rails, or raise GuardError or DataError with counts."""

    def steps(self, samples: int | None) -> int:
        """Optimizer steps that training will take on so many samples an epoch.

        None stands for a stream: DataError where nothing says how many steps to take.
        """

    def train(self, job: TrainJob) -> TrainOutcome:
        """Train until the end or until told to stop."""


class Controls(Protocol):
    """What an action may do to the run."""

    def evaluate(self, tasks: Sequence[str] = ()) -> Mapping[str, Score]:
        """Score tasks now (those of the phase so far if none are named)."""

    def checkpoint(self) -> None:
        """Have a checkpoint written after this step."""

    def stop(self, reason: str) -> None:
        """End the phase's training after this step."""

    def keep(self, reason: str) -> None:
        """Remember the weights of this step: those remembered last are the result of the training."""

    def say(self, text: str) -> None:
        """Tell the user one line."""


class Action(Protocol):
    """What a ``medrecipe_actions`` provider makes: something that a recipe binds to an event.

    One that remembers something between events has two methods more, so that a resumed training goes on as if
    it had never been interrupted: ``state() -> Mapping[str, Any]`` (JSON) and ``restore(state) -> None``.
    """

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:
        """Do it. ``values`` are the newest figures by name: ``loss``, ``exam``, ``exam.details``."""


class RunWriter(Protocol):
    """How trackers write into the run's folder: atomically, names relative to it."""

    def write_text(self, name: str, text: str) -> None:
        """Replace a file."""

    def append_line(self, name: str, line: str) -> None:
        """Append one line, on disk when this returns."""

    def write_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Replace a file by a record in our notation."""


class Tracker(Protocol):
    """What a ``medrecipe_trackers`` provider makes: a listener (``@hookimpl`` methods) of one run."""

    def open(self, writer: RunWriter, facts: Mapping[str, Any]) -> None:
        """Do what is needed before the first event.

        ``facts`` describe the run: id, project, recipe, started and more.
        """


class Executor(Protocol):
    """What a ``medrecipe_executors`` provider makes: where a phase runs."""

    def execute(self, phase: str, work: Callable[[], Any]) -> Any:
        """Run ``work`` and return what it returns."""
