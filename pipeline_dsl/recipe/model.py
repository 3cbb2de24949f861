"""A Recipe: what to train, on what, in which order. Values only; every name keeps its place.

Provider options stay syntax nodes here; ``plan`` checks them against the provider's schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline_dsl.api.records import Role
from pipeline_dsl.diagnostics import Span
from pipeline_dsl.recipe.conditions import Condition
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.syntax.nodes import Mapping

__all__ = [
    "Contract", "Declared", "Hook", "MixEntry", "Phase", "Recipe", "Ref", "StackEntry", "Task", "Use",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """``use: NAME`` and the options beside it. ``name`` may be ``plugin/name``."""

    name: str
    options: Mapping
    """The block without ``use`` and without the words that belong to the language."""
    span: Span
    """Of the provider's name, or of the block where the name is a default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A named ``use`` block: an adapter, a data source, a template."""

    name: Ref
    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A named probe: data through a template, scored by a metric."""

    name: Ref
    data: Ref
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MixEntry:
    """One source of a phase's training samples."""

    data: Ref
    template: Use
    weight: float
    limit: int | None
    repeat: int
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
    data: tuple[Declared, ...]
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
