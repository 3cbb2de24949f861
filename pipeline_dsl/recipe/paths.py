"""Dotted paths into a tree: ``phases.mcq.hooks.0.every``, ``tasks.exam.limit``.

Keys may hold dots themselves, so at a mapping the longest run of segments that is a key is taken. A row of
a list or table is named by its index from 0 or, where rows have a name in their first column, by that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Sequence

Step: TypeAlias = str | int
Steps: TypeAlias = tuple[Step, ...]

_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Found:
    """A path that leads somewhere."""

    steps: Steps
    node: Node


@dataclass(frozen=True, slots=True)
class Missing:
    """A path that ends early: how far it led, at what, and the first segment that is not there."""

    steps: Steps
    node: Node
    rest: tuple[str, ...]
    ambiguous: bool = False
    """Whether several rows have that name."""


def locate(tree: Node, dotted: str) -> Found | Missing:
    """Follow a dotted path as far as it leads."""
    node, steps = tree, list[Step]()
    rest = tuple(normal(dotted).split("."))
    while rest:
        matches = _matches(node, rest)
        if len(matches) != 1:
            return Missing(tuple(steps), node, rest, ambiguous=bool(matches))
        used, step, node = matches[0]
        steps.append(step)
        rest = rest[used:]
    return Found(tuple(steps), node)


def follow(tree: Node, steps: Steps) -> Node | None:
    """Return what stands at exact steps, or None."""
    node: Node | None = tree
    for step in steps:
        if node is None:
            return None
        node = _child(node, step)
    return node


def dotted(steps: Steps) -> str:
    """Write steps as users do."""
    return ".".join(str(step) for step in steps)


def children(node: Node) -> tuple[str, ...]:
    """Names of what stands directly below a node."""
    if isinstance(node, Mapping):
        return node.names()
    items = rows(node)
    names = [_row_name(item) for item in items]
    return tuple(name if name and names.count(name) == 1 else str(i) for i, name in enumerate(names))


def rows(node: Node) -> tuple[Node, ...]:
    """Items of a list or rows of a table, a table's as mappings; nothing for anything else."""
    if isinstance(node, Mapping | Scalar):
        return ()
    return node.items if isinstance(node, Sequence) else node.as_sequence().items


def _child(node: Node, step: Step) -> Node | None:
    if isinstance(step, int):
        items = rows(node)
        return items[step] if step < len(items) else None
    return node.get(step) if isinstance(node, Mapping) else None


def _matches(node: Node, rest: tuple[str, ...]) -> list[tuple[int, Step, Node]]:
    """Ways on from a node: how many segments each takes, its step and where it leads."""
    if isinstance(node, Mapping):
        for used in range(len(rest), 0, -1):
            name = ".".join(rest[:used])
            child = node.get(name)
            if child is not None:
                return [(used, name, child)]
        return []
    items = rows(node)
    if rest[0].isdecimal() and rest[0].isascii():
        index = int(rest[0]) if len(rest[0]) <= _MOST_DIGITS else len(items)
        return [(1, index, items[index])] if index < len(items) else []
    for used in range(len(rest), 0, -1):
        name = ".".join(rest[:used])
        named = [(used, i, item) for i, item in enumerate(items) if _row_name(item) == name]
        if named:
            return list[tuple[int, Step, Node]](named)
    return []


def _row_name(item: Node) -> str | None:
    """The first cell of a row, if that is a text."""
    if not isinstance(item, Mapping) or not item.entries:
        return None
    first = item.entries[0].value
    return normal(first.value) if isinstance(first, Scalar) and isinstance(first.value, str) else None
