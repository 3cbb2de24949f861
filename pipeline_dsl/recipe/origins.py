"""Where each value of a resolved recipe comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.recipe.paths import Found, Steps, dotted, follow, locate
from pipeline_dsl.recipe.paths import children as names_below
from pipeline_dsl.recipe.suggest import nearest
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Sequence, Value, plain

HIDDEN = "***"
_SHORTEST_SECRET = 6


class LayerKind(StrEnum):
    """What may set a value. Files come base first; ``like`` is what a block got from its template."""

    LIKE = "like"
    FILE = "file"
    PROFILE = "profile"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Layer:
    """One tree that took part, hung at ``steps``."""

    kind: LayerKind
    name: str
    """The file, the profile, the template block, or the path given to ``--set``."""
    steps: Steps
    node: Node


@dataclass(frozen=True, slots=True)
class Setting:
    """One layer's word on a path (or, where ``path`` is longer, on a part of it)."""

    kind: LayerKind
    name: str
    path: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Why:
    """Why a path has its value: every layer that set it, the last one wins."""

    path: str
    found: bool
    value: Value = None
    """With ``${...}`` filled in; ``***`` where it holds an environment variable."""
    history: tuple[Setting, ...] = ()
    nearest: str | None = None
    """A path that exists, where this one does not."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The layers a recipe was made of, the weakest first, and the tree they gave."""

    tree: Mapping | None = None
    layers: tuple[Layer, ...] = ()
    hidden: frozenset[Steps] = frozenset()
    """Paths of values that hold an environment variable."""
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """Values of the environment variables that were used."""

    def redact(self, text: str) -> str:
        """Return a text with every environment value in it (of six characters or more) as ``***``."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return text

    def value(self, steps: Steps, node: Node) -> Value:
        """Return the plain value of a node of the tree, environment values hidden."""
        if steps in self.hidden:
            return HIDDEN
        match node:
            case Mapping(entries=entries):
                return {e.key.name: self.value((*steps, e.key.name), e.value) for e in entries}
            case Sequence(items=items):
                return [self.value((*steps, i), item) for i, item in enumerate(items)]
            case Scalar():
                return plain(node)
            case _:
                return self.value(steps, node.as_sequence())


def explain(origins: Origins, path: str) -> Why:
    """Return the history of a dotted path."""
    if origins.tree is None:
        return Why(path, found=False)
    place = locate(origins.tree, path)
    if not isinstance(place, Found):
        near = nearest(place.rest[0], names_below(place.node))
        known = dotted((*place.steps, near)) if near else dotted(place.steps)
        return Why(path, found=False, nearest=known or None)
    settings = (_setting(layer, place.steps) for layer in origins.layers)
    history = tuple(s for s in settings if s is not None)
    return Why(path, found=True, value=origins.value(place.steps, place.node), history=history)


def _setting(layer: Layer, steps: Steps) -> Setting | None:
    depth = len(layer.steps)
    if steps[:depth] == layer.steps:
        node = follow(layer.node, steps[depth:])
        path = dotted(steps)
    elif layer.steps[: len(steps)] == steps:
        node, path = layer.node, dotted(layer.steps)
    else:
        return None
    return Setting(layer.kind, layer.name, path, plain(node), node.span) if node is not None else None
