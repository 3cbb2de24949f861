"""A Recipe: what to train, on what, in which order. Values only; every name keeps its place.

Provider options stay syntax nodes here; ``plan`` checks them against the provider's schema.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass, field

from pipeline_dsl.api.records import Role
from pipeline_dsl.diagnostics import Span
from pipeline_dsl.recipe.conditions import Condition
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.syntax.nodes import Mapping

__all__ = [
    "Contract", "DataBlock", "Declared", "Hook", "MixEntry", "Phase", "Recipe", "Ref", "StackEntry", "Stage",
    "Task", "Use", "View",
]  # fmt: skip

PARTS = ("train", "validation", "test")
"""Parts of a split, in the order of its shares."""
SHUFFLE_BUFFER = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """``use: NAME`` and the options beside it. ``name`` may be ``plugin/name``."""

    name: str
    options: Mapping
    """The block without ``use`` and without the words that belong to the language."""
    span: Span
    """Of the provider's name, or of the block where the name is a default."""
    words: tuple[str, ...] = ()
    """Words of the language that may stand beside the options; a misspelt one may be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A named ``use`` block: an adapter, a template."""

    name: Ref
    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the language does with the rows of a source: the words of a ``data`` block."""

    columns: Map[str, str] = field(default_factory=dict)
    """Name in templates, filter and groups: column of the source."""
    filter: Condition | None = None
    limit: int | None = None
    """Rows, of each part where there is a split."""
    split: tuple[float, ...] = ()
    """Shares of the parts, two or three, with the sum 1; () for no split."""
    group_by: tuple[Ref, ...] = ()
    """Columns whose equal values stay in one part."""
    streaming: bool = False
    shuffle_buffer: int = SHUFFLE_BUFFER
    """Rows that are shuffled together where the rows are streamed."""
    pii: str = "allow"
    """``allow`` or ``deny`` personal data."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts."""
        return PARTS[: len(self.split)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBlock:
    """A named source of rows."""

    name: Ref
    use: Use
    view: View
    parts_known: bool = True
    """Whether its split, if it has one, could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A named probe: data through a template, scored by a metric."""

    name: Ref
    data: Ref
    """A data block, or a part of one: ``exam.validation``."""
    template: Use
    """Either the name of a ``templates`` block, or a provider."""
    metric: Use
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEntry:
    """What one adapter is in a phase."""

    adapter: Ref
    role: Role
    span: Span
    role_span: Span
    """Of the role alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixEntry:
    """One source of a phase's training samples."""

    data: Ref
    """A data block, or a part of one: ``exam.train``."""
    template: Use
    weight: float
    limit: int | None
    repeat: int
    span: Span
    weight_span: Span
    """Of the weight alone; of the row where it is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One of the trainings of which a phase consists."""

    name: Ref
    template: Use | None
    """Instead of the mix's own, for its main source."""
    samples: int | None
    """Rows of the main source at most."""
    until: Condition | None
    """Ends the stage once it holds; the phase fails where it never does."""
    at_most: float | None
    """Below 1 a share of the phase's steps, else steps."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One line of ``retain``. Exactly one of keep, drop and rise is set."""

    task: Ref
    keep: float | None
    """Least share of the best earlier score, of a score that should be high."""
    drop: float | None
    """Largest loss against the best earlier score, in the score's own unit."""
    rise: float | None
    """Largest relative rise over the best (lowest) earlier score; 0.05 for ``5%``."""
    otherwise: str
    """``warn`` or ``reject``."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An action bound to an event."""

    on: Ref
    every: int
    when: Condition | None
    do: Use
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One training step of the progression."""

    name: Ref
    after: tuple[Ref, ...]
    task: Ref | None
    """The phase's own task: what it is meant to teach (for ACC, BWT, forgetting, FWT)."""
    stack: tuple[StackEntry, ...]
    mix: tuple[MixEntry, ...]
    stages: tuple[Stage, ...]
    """In their order; none where the phase is one training."""
    train: Use
    """The recipe's ``train`` block with the phase's merged over it."""
    retain: tuple[Contract, ...]
    hooks: tuple[Hook, ...]
    seed: int | None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The whole recipe, with profile, overrides and interpolation applied."""

    name: Ref
    project: str
    """Whose runs these are: the folder under ``runs/``. The recipe's name where nothing is said."""
    edition: int
    path: str
    """As the user gave it."""
    profile: str | None
    profiles: tuple[str, ...]
    seed: int
    tags: tuple[str, ...]
    device: str
    plugins: tuple[Ref, ...]
    """Local plugins: absolute paths of ``./file.py``."""
    model: Use
    adapters: tuple[Declared, ...]
    data: tuple[DataBlock, ...]
    templates: tuple[Declared, ...]
    tasks: tuple[Task, ...]
    phases: tuple[Phase, ...]
    hooks: tuple[Hook, ...]
    """Bound in every phase."""
    trackers: tuple[Use, ...]
    executor: Use
    broken: tuple[Span, ...] = field(default=(), repr=False, compare=False)
    """Values that are reported as wrong already; whoever reads on says nothing more of them."""
    tree: Mapping = field(repr=False, compare=False)
    """The resolved tree that all of this was read from."""
