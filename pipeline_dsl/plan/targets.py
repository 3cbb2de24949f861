"""Layers that adapters are to sit on, held against those that the base is known to have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.choose import Chosen
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.recipe.model import Declared, Use
from pipeline_dsl.recipe.suggest import nearest, renamed
from pipeline_dsl.syntax.nodes import Node, Scalar
from pipeline_dsl.syntax.nodes import Sequence as Items


def missed_layers(
    model: Chosen, adapters: Mapping[str, Chosen], blocks: Sequence[Declared]
) -> Iterator[Diagnostic]:
    """Say which layers adapters name that the base lacks, where both can tell without loading."""
    known = getattr(model.made, "layers", None)
    layers = tuple(known() or ()) if known is not None else ()
    for block in blocks if layers else ():
        chosen = adapters.get(block.name.name)
        ask: Any = getattr(chosen.made, "missed_layers", None) if chosen is not None else None
        for name in ask(layers) if ask is not None else ():
            span = _place(name, block.use)
            near = nearest(name, layers)
            yield Diagnostic(
                code=PlanCode.TARGETS.code,
                message=f"`{name}` is no linear layer of this model",
                span=span,
                help=(f"did you mean `{near}`? " if near else "") + f"its linear layers: {', '.join(layers)}",
                fixes=renamed(span, name, layers),
            )


def _place(name: str, use: Use) -> Span:
    """Where a layer is named among the options of an adapter."""
    found = (scalar.span for entry in use.options for scalar in _scalars(entry.value) if scalar.value == name)
    return next(found, use.span)


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        yield from (item for item in node.items if isinstance(item, Scalar))
