"""Which tool a config is of, by its keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.tools import Tool
from pipeline_dsl.syntax.nodes import Mapping, Node

COMPONENT = "_component_"
"""What torchtune builds is named under this key, at any depth."""
_CLEAR = 3
"""How many times as many of its keys the likeliest tool has to have as the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The tool of a config, and the keys that tell it."""

    tool: Tool
    by: tuple[str, ...]


def tell(root: Mapping, tools: Sequence[Tool]) -> Told | Diagnostic:
    """Say which tool a config is of: the one whose own keys it has, by far the most of them."""
    found = [Told(tool=tool, by=tuple(_present(root, tool))) for tool in tools]
    found = sorted((told for told in found if told.by), key=lambda told: -len(told.by))
    if not found:
        return _unknown(root, tools)
    if len(found) > 1 and len(found[0].by) < _CLEAR * len(found[1].by):
        return _ambiguous(root, found)
    return found[0]


def _present(root: Mapping, tool: Tool) -> list[str]:
    names = {*root.names(), *([COMPONENT] if _has_component(root) else [])}
    return [key for key in tool.tells if key in names]


def _has_component(node: Node) -> bool:
    if not isinstance(node, Mapping):
        return False
    return COMPONENT in node.names() or any(_has_component(entry.value) for entry in node)


def _unknown(root: Mapping, tools: Sequence[Tool]) -> Diagnostic:
    telling = "; ".join(f"{tool.name} by {', '.join(tool.tells[:3])}" for tool in tools)
    return Diagnostic(
        code=Code.UNKNOWN_TOOL.value,
        message="the keys do not say which tool this config is of",
        span=root.entries[0].key.span if root.entries else root.span,
        help=f"say it with --from NAME; known are {telling}",
    )


def _ambiguous(root: Mapping, found: list[Told]) -> Diagnostic:
    sides = "; ".join(f"{told.tool.name} by {', '.join(told.by[:5])}" for told in found)
    entry = root.entry(found[1].by[0])
    return Diagnostic(
        code=Code.UNKNOWN_TOOL.value,
        message="the keys speak for more than one tool",
        span=entry.key.span if entry else root.span,
        help=f"say it with --from NAME: {sides}",
    )
