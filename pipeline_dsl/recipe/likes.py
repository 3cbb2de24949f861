"""``like: NAME``: a block that copies its sibling, then overrides."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.merging import overlay, replaced, without
from pipeline_dsl.recipe.origins import Layer, LayerKind
from pipeline_dsl.recipe.suggest import renamed, suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Entry, Mapping, Scalar

LIKE = "like"
SECTIONS = ("adapters", "data", "templates", "tasks", "phases")
"""Blocks of named blocks, in which ``like`` is a word of the language."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The tree with every ``like`` that could be followed filled in; the others still stand there."""

    tree: Mapping
    layers: tuple[Layer, ...]


def apply_likes(tree: Mapping, findings: Findings) -> Copied:
    """Fill in every ``like`` of the sections."""
    layers: list[Layer] = []
    for name in SECTIONS:
        entry = tree.entry(name)
        if entry and isinstance(entry.value, Mapping):
            section = _Section(name, entry.value, findings)
            tree = replaced(tree, Entry(entry.key, section.filled()))
            layers.extend(section.layers)
    return Copied(tree, tuple(layers))


@dataclass(slots=True)
class _Section:
    """One section while its blocks are filled in."""

    name: str
    blocks: Mapping
    findings: Findings
    done: dict[str, Mapping] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    layers: list[Layer] = field(default_factory=list)

    def filled(self) -> Mapping:
        entries = tuple(
            Entry(e.key, self.block(e.key.name)) if isinstance(e.value, Mapping) else e for e in self.blocks
        )
        return Mapping(entries, self.blocks.span)

    def block(self, name: str) -> Mapping:
        """Fill in one block and all that it is like."""
        for current in reversed(self._chain(name)):
            self._fill(current)
        return self.done[name]

    def _chain(self, name: str) -> list[str]:
        """Names from a block to the one at the end of its ``like``s that still have to be filled in."""
        chain: list[str] = []
        current: str | None = name
        while current is not None and current not in self.done:
            if current in chain:
                self._cycle(chain[chain.index(current) :])
                break
            chain.append(current)
            current = self._template(current)
        return chain

    def _template(self, name: str) -> str | None:
        """Whom a block is like; None for nobody or where that is reported as wrong."""
        block = self._own(name)
        node = block.get(LIKE)
        if node is None or name in self.broken:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
            message = f"`{self.name}.{name}.like` must be the name of a block beside it, not {kind_of(node)}"
            self.findings.error(Code.WRONG_TYPE, message, node.span)
        elif not isinstance(self.blocks.get(normal(node.value)), Mapping):
            others = [n for n in self.blocks.names() if n != name]
            self.findings.error(
                Code.UNKNOWN_LIKE,
                f"`{name}` is like `{node.value}`, which is not a block in `{self.name}`",
                node.span,
                help=suggestion(node.value, others, what=f"in `{self.name}`")
                or f"there is no other block in `{self.name}`",
                fixes=renamed(node.span, node.value, others),
            )
        else:
            return normal(node.value)
        self.broken.add(name)
        return None

    def _fill(self, name: str) -> None:
        own = self._own(name)
        node = own.get(LIKE)
        if name in self.broken or not isinstance(node, Scalar) or node.value is None:
            self.done[name] = own
            return
        template = normal(str(node.value))
        under = self.done[template]
        if template in self.broken:
            self.broken.add(name)
        self.layers.append(Layer(LayerKind.LIKE, template, (self.name, name), without(under, LIKE)))
        filled = overlay(under, own)
        self.done[name] = filled if name in self.broken else without(filled, LIKE)

    def _own(self, name: str) -> Mapping:
        block = self.blocks.get(name)
        if not isinstance(block, Mapping):
            raise TypeError(name)
        return block

    def _cycle(self, names: list[str]) -> None:
        self.broken.update(names)
        spans = [like.span for n in names if (like := self._own(n).get(LIKE)) is not None]
        self.findings.error(
            Code.LIKE_CYCLE,
            f"blocks are like each other: {' -> '.join([*names, names[0]])}",
            spans[0],
            help="let one of them stand for itself",
            related=tuple(Related(message="and this one", span=span) for span in spans[1:]),
        )
