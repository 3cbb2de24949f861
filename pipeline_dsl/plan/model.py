"""A Plan: the recipe with every choice made. Pure data; ``to_json`` and ``from_json`` are inverse."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import ModelIdentity, Role
from pipeline_dsl.plan.codes import PlanCode

SCHEMA_VERSION = 1
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
class DataPlan:
    """A data source and its files."""

    source: ProviderRef
    files: tuple[DataFile, ...]


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
    tasks: tuple[TaskPlan, ...]
    phases: tuple[PhasePlan, ...]
    trackers: tuple[ProviderRef, ...]
    executor: ProviderRef
    max_samples: int | None = None
    libraries: dict[str, str] = field(default_factory=dict)
    """Versions of the libraries on which results depend."""
    base: ModelIdentity | None = None
    """What the base is, once its files are there."""
    schema_version: int = SCHEMA_VERSION

    def phase(self, name: str) -> PhasePlan:
        """The phase of that name."""
        return next(p for p in self.phases if p.name == name)

    def task(self, name: str) -> TaskPlan:
        """The task of that name."""
        return next(t for t in self.tasks if t.name == name)


def to_json(plan: Plan) -> Json:
    """Return the plan as JSON."""
    return dataclasses.asdict(plan)


def from_json(data: Any) -> Plan:
    """Make a plan from what ``to_json`` returned, after a trip through a JSON file.

    Raises:
        ModelError: it is of another version, or no plan.
    """
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise _other(f"the plan is of version {version}, and this medrecipe reads version {SCHEMA_VERSION}")
    try:
        return _plan(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _other(f"the plan cannot be read: {type(error).__name__}: {error}") from error


def _other(message: str) -> ModelError:
    help_ = "go on with the medrecipe that made it, or start a new run"
    return ModelError(message, help=help_, code=PlanCode.OTHER_VERSION.code)


def _plan(data: Json) -> Plan:
    return Plan(
        **_without(data, "model", "adapters", "data", "tasks", "phases", "trackers", "executor", "base"),
        model=_ref(data["model"]),
        adapters={name: _ref(ref) for name, ref in data["adapters"].items()},
        data={
            name: DataPlan(source=_ref(d["source"]), files=tuple(DataFile(**f) for f in d["files"]))
            for name, d in data["data"].items()
        },
        tasks=tuple(_task(t) for t in data["tasks"]),
        phases=tuple(_phase(p) for p in data["phases"]),
        trackers=tuple(_ref(t) for t in data["trackers"]),
        executor=_ref(data["executor"]),
        base=ModelIdentity(**data["base"]) if data["base"] else None,
    )


def _ref(data: Json) -> ProviderRef:
    return ProviderRef(**{**data, "kind": Kind(data["kind"]), "paths": tuple(data["paths"])})


def _task(data: Json) -> TaskPlan:
    return TaskPlan(**{**data, "template": _ref(data["template"]), "metric": _ref(data["metric"])})


def _phase(data: Json) -> PhasePlan:
    rest = _without(data, "parents", "after", "stack", "mix", "train", "retain", "hooks", "estimate")
    return PhasePlan(
        **rest,
        parents=tuple(data["parents"]),
        after=tuple(data["after"]),
        stack=tuple(LayerPlan(**layer) for layer in data["stack"]),
        mix=tuple(MixPlan(**{**m, "template": _ref(m["template"])}) for m in data["mix"]),
        train=_ref(data["train"]),
        retain=tuple(ContractPlan(**c) for c in data["retain"]),
        hooks=tuple(HookPlan(**{**h, "do": _ref(h["do"])}) for h in data["hooks"]),
        estimate=Estimate(**data["estimate"]),
    )


def _without(data: Json, *names: str) -> Json:
    lists = {"tags", "plugins"}
    return {k: tuple(v) if k in lists else v for k, v in data.items() if k not in names}
