"""What one request looks at: a spot of the text as it is, and the newest analysis, maybe of an older text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline_dsl.language_server.analysis import Analysis
from pipeline_dsl.language_server.outline import Kind, Outline
from pipeline_dsl.language_server.pieces import Role
from pipeline_dsl.language_server.places import plain_path
from pipeline_dsl.language_server.spots import Spot
from pipeline_dsl.recipe.model import PARTS
from pipeline_dsl.recipe.paths import Found as FoundPath
from pipeline_dsl.recipe.paths import Steps, children, follow, locate
from pipeline_dsl.recipe.uses import USE
from pipeline_dsl.syntax.nodes import Node, Scalar

_SHOWN = 12
"""Options of a block that its summary shows."""


@dataclass(frozen=True, slots=True)
class Look:
    """A spot with all that is known around it."""

    shape: Outline
    spot: Spot
    analysis: Analysis
    fresh: bool
    """Whether the analysis is of this very text."""

    def use_at(self, steps: Steps) -> str | None:
        """The provider that a block names: beside the cursor, in the text, or in what it extends."""
        said = self.spot.said((*steps, USE)) or self.spot.said(steps)
        if said:
            return said
        index = self.shape.find(steps)
        if index >= 0:
            every = self.shape.pieces(index).found
            inside = next((p.name for p in every if p.path == (*steps, USE) and p.role is Role.VALUE), None)
            if inside:
                return inside
            own = self.shape.find((*steps, USE))
            if own >= 0 and (words := self.shape.pieces(own).found):
                return words[0].name
        node = self.resolved((*plain_path(steps), USE))
        return str(node.value) if isinstance(node, Scalar) and node.value else None

    def resolved(self, steps: Steps) -> Node | None:
        """What stands at a path with everything applied, in the newest analysis."""
        tree = self.analysis.loaded.origins.tree
        return follow(tree, steps) if tree is not None else None

    def names(self, section: str) -> tuple[str, ...]:
        """Names given in a section: those of the text as it is, then those of what it extends."""
        node = self.resolved((section,))
        known = children(node) if node is not None else ()
        if section == "profiles" and self.analysis.loaded.recipe is not None:
            known = self.analysis.loaded.recipe.profiles
        return tuple(dict.fromkeys([*self._written(section), *known]))

    def parts(self, data: str) -> tuple[str, ...]:
        """Parts of a data block that has a split."""
        node = self.resolved(("data", data, "split"))
        shares = str(node.value).count("/") + 1 if isinstance(node, Scalar) and node.value else 0
        return PARTS[:shares] if shares > 1 else ()

    def definition(self, section: str, name: str) -> str | None:
        """A named block in a few words, as it is with everything applied."""
        tree = self.analysis.loaded.origins.tree
        place = locate(tree, f"{section}.{name}") if tree is not None else None
        if not isinstance(place, FoundPath):
            return None
        value = self.analysis.loaded.origins.value(place.steps, place.node)
        if not isinstance(value, dict):
            return _written(value)
        shown = [f"{key}: {_written(inner)}" for key, inner in value.items()]
        more = [f"# and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
        return "\n".join([*shown[:_SHOWN], *more])

    def _written(self, section: str) -> Iterator[str]:
        """Names that a section of the text gives."""
        index = self.shape.find((section,))
        for inner in self.shape.below(index) if index >= 0 else ():
            stem = self.shape.stems[inner]
            if stem.kind in {Kind.ENTRY, Kind.TABLE}:
                yield str(stem.step)
            elif stem.kind is Kind.ROW and (words := self.shape.pieces(inner).found):
                yield words[0].name


def _written(value: object) -> str:
    """A value in one line, as a recipe writes it, about."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
