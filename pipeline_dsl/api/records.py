"""The values that providers and the engine hand each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple

Row = Mapping[str, Any]
Role = Literal["train", "continue", "freeze", "merge"]


class PlacedRow(NamedTuple):
    """A row and where it stands: ``data/train.jsonl:17``."""

    place: str
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One thing to learn or to be asked: a prompt and the completion that should follow it."""

    prompt: str
    """Text before the completion; empty for plain text."""
    completion: str
    """Text on which loss falls and which a scorer expects."""
    messages: tuple[Message, ...] = ()
    """The prompt as chat turns instead of ``prompt``, for the model's own chat template."""
    answer: str = ""
    """What a scorer compares with: an option letter, a term; empty means ``completion``."""
    choices: tuple[str, ...] = ()
    """Continuations of the prompt among which a likelihood scorer chooses, e.g. ``("A", …, "E")``."""
    id: str = ""
    """Which row it came from, for messages; never a text."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sample as a model sees it."""

    id: str
    """Which row it came from; never a text."""
    ids: Sequence[int]
    """Token ids, the end mark last."""
    start: int
    """Index of the first token that is learned; at least 1, for nothing predicts the first token."""

    @property
    def label_tokens(self) -> int:
        """How many tokens are learned."""
        return max(0, len(self.ids) - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What became of samples that were to be trained on."""

    rows: Sequence[Prepared | None]
    """One a sample, in their order; None for a sample that the overflow policy leaves out."""
    dropped: int
    shortened: int
    """Samples that were given shorter prompts."""
    longest: int
    """Tokens of the longest sample before anything was cut."""


class Need(StrEnum):
    """What a metric has to see of the model."""

    TOKEN_LOSSES = "token_losses"  # noqa: S105 - tokens of text
    """Summed negative log-likelihood (nats) and number of the completion's tokens."""
    CHOICES = "choices"
    """Log-likelihood of each of ``Sample.choices`` after the prompt, up to a constant of the sample."""
    COMPLETIONS = "completions"
    """Greedy text after the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a model did on one sample: the fields that the metric's ``Need`` asks for are set."""

    sample: Sample
    nll: float | None = None
    tokens: int | None = None
    choice_scores: tuple[float, ...] = ()
    text: str | None = None
    ended: bool = True
    """Whether the generated text came to its end mark rather than to the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's result on n items, with a 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    protocol: str
    """How it was measured: ``exact_match/greedy``, ``kormedmcqa-3.0/likelihood``; never compared across."""
    higher_is_better: bool = True
    details: Mapping[str, float] = field(default_factory=dict)
    """Further figures that the metric computes, by name; a condition may use ``task.name``."""
    perfect: float = 1.0
    """The highest value that a score which should be high can have; summaries count in shares of it."""
    invalid: str | None = None
    """Why this evaluation should not be believed, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """What makes two bases the same base. Hashes are sha256 hex, "" where there is nothing to hash."""

    name: str
    """A hub name, or the name of an embedded model."""
    revision: str
    weights_sha256: str
    tokenizer_sha256: str
    chat_template_sha256: str
    architecture: str
    """The ``model_type`` of its configuration: ``gemma3``, ``llama``, ``phi3``, ``phi``."""
    quantisation: str = ""
    """``nf4``, ``fp4``, ``int8`` or "" for 16- and 32-bit weights."""
    double_quant: bool = False
    """Whether the scales of 4-bit weights are quantised too."""
    compute_dtype: str = ""
    """In which 4-bit weights are multiplied; "" where there are none."""
    quantised_by: str = ""
    """The library that quantises, with its version, on which the results depend."""
    dtype: str = ""
    """Number format of the weights that are not quantised, as they are loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """The number format of a base's weights on a device."""

    dtype: str
    reason: str = ""
    """Why, where it was chosen and not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Under what terms a base may be used, as its makers published them."""

    name: str
    """As model cards write it: ``mit``, ``llama3.2``."""
    link: str = ""
    source: str = ""
    """Where it was read: the base's own card, or what its makers publish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearShape:
    """A linear layer: inputs to outputs."""

    d_in: int
    d_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRows:
    """Rows of the tokens that a recipe adds to a model's vocabulary."""

    tokens: int
    width: int
    """Numbers in one row of the embeddings."""
    head: Literal["tied", "own", "biased"]
    """The output layer: shares the embeddings' rows, has rows of its own, or has these and biases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fertility:
    """How many tokens a text becomes, with and without the tokens that a recipe adds."""

    characters: int
    tokens_before: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Whether samples can go through a model one after another, without padding."""

    obstacle: str = ""
    """Why not; "" where they can."""
    longest: int | None = None
    """Tokens that a sample may have at most; None for any number of them."""

    def refusal(self, longest: int) -> str | None:
        """Return why samples of at most ``longest`` tokens cannot; None where they can."""
        if not self.obstacle and self.longest is not None and longest > self.longest:
            return "its position embeddings change with the length of a batch"
        return self.obstacle or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Real module shapes of a model, read without its weights."""

    parameters: int
    linears: Mapping[str, LinearShape]
    """Every linear layer by its full module name."""
    max_positions: int
    vocabulary: int
    skipped: tuple[str, ...] = ()
    """Prefixes that adapters leave out unless asked: the vision tower of a multimodal model."""
    new_rows: NewRows | None = None
    """Set where the recipe adds tokens; ``parameters`` and ``vocabulary`` include them."""
    packing: Packing | None = None
    """None where nothing is known about it."""
    note: str = ""
    """Where the shapes are from, for people, unless they are from the model's own files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """How a model is to be loaded."""

    device: str
    """``auto``, ``cpu`` or ``cuda:N``; a device that is not there is a MachineError, never another device."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackLayer:
    """One adapter of a stack, bottom first."""

    name: str
    role: Role
    adapter: Any
    """The built adapter (see ``contracts.Adapter``)."""
    folder: Path | None
    """Where its weights are; None for ``train``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeProof:
    """Base + adapters against merged weights, on probe rows."""

    adapters: tuple[str, ...]
    probes: int
    max_abs_logit_difference: float
    max_kl: float
    """Largest KL(stacked || merged) of a next-token distribution, in nats."""
    tolerance: float
    """Bound on ``max_abs_logit_difference``, chosen from the dtype of the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackReport:
    """What attaching a stack did to a model."""

    trainable: tuple[str, ...]
    """Full names of the trainable parameters."""
    trainable_parameters: int
    total_parameters: int
    merge: MergeProof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What the engine wants of a trainer after an event; the trainer obeys at once."""

    stop: bool = False
    """End training after this step; what was learned is kept."""
    reason: str | None = None
    """Why to stop, for people."""
    checkpoint: bool = False
    """Write a checkpoint after this step."""
    keep: bool = False
    """Remember the weights of this step: the last that were remembered are the result of the training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOutcome:
    """How training ended."""

    steps: int
    """Optimizer steps done, those before a resume included."""
    epochs: float
    loss: float
    """Mean training loss per supervised token over the whole of it."""
    label_tokens: int
    stopped: str | None = None
    """Why it ended before its time, or None."""
    kept_step: int | None = None
    """The step whose weights were remembered and are the result; None: those of the last step."""
    micro_batch: int | None = None
    """Samples at once in the end, where memory did not suffice for what was asked; None: it did."""
    micro_batch_step: int | None = None
    """The first step, counted from 1, that was done with so few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory that a model's process holds, in bytes."""

    kind: Literal["rss", "cuda"]
    """Of the process as the operating system counts it, or of the device as torch counts it."""
    used: int
    peak: int
    """The most since the model began to be loaded."""
