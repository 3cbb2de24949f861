"""What a node is, in words."""

from __future__ import annotations

from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Sequence


def kind_of(node: Node) -> str:
    """Name the kind of a value for a message: ``text``, ``a whole number``, ``a block`` ..."""
    match node:
        case Scalar(value=value):
            return _kind_of_scalar(value)
        case Mapping():
            return "a block"
        case Sequence():
            return "a list"
        case _:
            return "a table"


def _kind_of_scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text" if value else "empty text"
    return "a whole number" if isinstance(value, int) else "a number"
