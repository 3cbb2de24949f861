"""A condition under a key: ``when`` of a hook, ``until`` of a stage."""

from __future__ import annotations

from pipeline_dsl.recipe.conditions import Condition, parse_condition
from pipeline_dsl.recipe.fields import Fields
from pipeline_dsl.syntax.nodes import Scalar


def read_condition(row: Fields, name: str, example: str) -> Condition | None:
    """Read a condition in quotes; ``example`` is what a message shows where it is something else."""
    node = row.node(name)
    if node is None:
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        row.wrong(name, "a condition in quotes", node, f'write for example {name}: "{example}"')
        return None
    condition, found = parse_condition(node.value, node.span)
    row.findings.extend(found)
    return condition
