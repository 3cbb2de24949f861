"""A Plan: the recipe with every choice made. Pure data; ``plan_json`` writes and reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import Fertility, ModelIdentity, Role
from pipeline_dsl.recipe.model import SHUFFLE_BUFFER

SCHEMA_VERSION = 2
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRef:
    """A provider that was chosen, with all of its options (defaults filled in)."""

    kind: Kind
    name: str
    plugin: str
    version: str
    """The provider's own version, with its distribution's if not ours: ``1@nice-metrics-0.3.0``."""
    options: Json
    paths: tuple[str, ...] = ()
    """Names of the options that are paths."""
    content: str = ""
    """Hash of a template's text; "" for everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file that a source reads. ``sha256`` is "" until the plan is hashed."""

    path: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPlan:
    """What becomes of a source's rows: columns, then filter, then the part of the split, then limit."""

    columns: dict[str, str] = field(default_factory=dict)
    """Name in templates, filter and groups: column of the source."""
    filter: str | None = None
    """The condition's text."""
    limit: int | None = None
    """Rows of the part."""
    split: tuple[float, ...] = ()
    """Shares of the parts; () for no split."""
    group_by: tuple[str, ...] = ()
    part: str | None = None
    """``train``, ``validation`` or ``test``, where there is a split."""
    seed: int = 0
    """Of the split."""
    streaming: bool = False
    shuffle_buffer: int = SHUFFLE_BUFFER
    pii: str = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlan:
    """What a mix or task refers to: a data source, or a part of one, and its files."""

    source: ProviderRef
    files: tuple[DataFile, ...]
    view: ViewPlan = field(default_factory=ViewPlan)
    here: bool = True
    """Whether its rows can be read without fetching anything; if not, its files are not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """A probe. ``fingerprint`` is "" until the plan is hashed."""

    name: str
    data: str
    template: ProviderRef
    metric: ProviderRef
    limit: int | None
    higher_is_better: bool
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One adapter of a phase's stack. ``made_by`` is the phase whose weights it starts from."""

    adapter: str
    role: Role
    made_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MixPlan:
    """One source of a phase's samples. ``weight`` is its share; the shares of a mix sum to 1."""

    data: str
    template: ProviderRef
    weight: float
    limit: int | None
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One of the trainings of which a phase consists."""

    name: str
    template: ProviderRef | None
    """Instead of the mix's own, for its main source."""
    samples: int | None
    """Rows of the main source at most."""
    until: str | None
    """The condition's text."""
    tasks: tuple[str, ...]
    """Tasks by whose scores ``until`` goes."""
    at_most: float | None
    """Below 1 a share of the phase's steps, else steps; None: what is left of them."""
    steps: int | None = None
    """Optimizer steps that it may take, if those before it take all of theirs; None until it is estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractPlan:
    """One retention contract; exactly one of keep, drop and rise is set."""

    task: str
    keep: float | None
    drop: float | None
    rise: float | None
    otherwise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPlan:
    """An action bound to an event. ``when`` is the condition's text."""

    on: str
    every: int
    when: str | None
    do: ProviderRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a phase will cost. None where it cannot be known yet."""

    samples: int | None = None
    """Samples an epoch."""
    steps: int | None = None
    """Optimizer steps."""
    tokens: int | None = None
    """Tokens an epoch, prompts included."""
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    manner: str = ""
    """How the trainer goes about such a model, where it says so."""
    prepared: tuple[str, ...] = ()
    """Of each row of the mix, what becomes of its prepared data; the words are those of ``estimate``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePlan:
    """One phase. ``fingerprint`` is "" until the plan is hashed and the base known."""

    name: str
    task: str | None
    parents: tuple[str, ...]
    """Phases whose adapters it stands on, in stack order."""
    after: tuple[str, ...]
    stack: tuple[LayerPlan, ...]
    mix: tuple[MixPlan, ...]
    train: ProviderRef
    retain: tuple[ContractPlan, ...]
    hooks: tuple[HookPlan, ...]
    """The recipe's first, then the phase's own."""
    seed: int
    stages: tuple[StagePlan, ...] = ()
    """In their order; none where the phase is one training."""
    fingerprint: str = ""
    estimate: Estimate = field(default_factory=Estimate)

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of the adapters that this phase trains."""
        return tuple(layer.adapter for layer in self.stack if layer.role in {"train", "continue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The recipe with every choice made."""

    recipe: str
    project: str
    path: str
    profile: str | None
    seed: int
    device: str
    tags: tuple[str, ...]
    plugins: tuple[str, ...]
    model: ProviderRef
    adapters: dict[str, ProviderRef]
    data: dict[str, DataPlan]
    """By what mixes and tasks call it: ``terms``, ``exam.train``."""
    tasks: tuple[TaskPlan, ...]
    phases: tuple[PhasePlan, ...]
    trackers: tuple[ProviderRef, ...]
    executor: ProviderRef
    max_samples: int | None = None
    libraries: dict[str, str] = field(default_factory=dict)
    """Versions of the libraries on which results depend."""
    base: ModelIdentity | None = None
    """What the base is, once its files are there."""
    fertility: Fertility | None = None
    """Of the first training data, where the recipe adds tokens to the base; None until it is estimated."""
    schema_version: int = SCHEMA_VERSION

    def phase(self, name: str) -> PhasePlan:
        """The phase of that name."""
        return next(p for p in self.phases if p.name == name)

    def task(self, name: str) -> TaskPlan:
        """The task of that name."""
        return next(t for t in self.tasks if t.name == name)
