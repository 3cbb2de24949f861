"""What an imported recipe will say, before it is text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline_dsl.syntax.nodes import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One value of a recipe, and what is to be said of it behind it."""

    value: Value
    remark: str = ""


Block = Mapping[str, Said]
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a table, and what is to be said of it behind it."""

    cells: Row
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDraft:
    """One phase: cells as in the recipe's tables."""

    name: str
    task: str | None = None
    stack: tuple[Row, ...]
    """adapter, role"""
    mix: tuple[Line, ...]
    """data, template, weight, limit"""
    train: Block = field(default_factory=dict)
    retain: tuple[Line, ...] = ()
    """task, keep, otherwise"""
    hooks: tuple[Line, ...] = ()
    """on, every, do"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A whole recipe."""

    top: Block
    model: Block
    adapters: Mapping[str, Block]
    data: Mapping[str, Block]
    templates: Mapping[str, Block] = field(default_factory=dict)
    tasks: tuple[Line, ...] = ()
    """task, data, template, metric, limit"""
    train: Block
    phases: tuple[PhaseDraft, ...]
