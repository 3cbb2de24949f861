"""OmegaConf's ``${a.b}`` in a config: filled in where it names another key, as torchtune does on reading."""

from __future__ import annotations

import re

from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar, Sequence, Style

_REFERENCE = re.compile(r"\$\{([\w.-]+)\}")
_ROUNDS = 8
_LONGEST = 4096


def resolved(reader: Reader) -> Reader:
    """The same config with its references filled in; what names nothing stays as it is written."""
    return Reader(_mapping(reader.node, reader.node), reader.ledger, reader.path)


def _mapping(node: Mapping, root: Mapping) -> Mapping:
    entries = tuple(Entry(entry.key, _node(entry.value, root)) for entry in node)
    return Mapping(entries, node.span)


def _node(node: Node, root: Mapping) -> Node:
    match node:
        case Mapping():
            return _mapping(node, root)
        case Sequence(items=items):
            return Sequence(tuple(_node(item, root) for item in items), node.span)
        case Scalar(value=str(text)) if "${" in text:
            return _filled(node, text, root)
    return node


def _filled(node: Scalar, text: str, root: Mapping) -> Scalar:
    whole = _REFERENCE.fullmatch(text)
    if whole and (found := _at(root, whole[1])) and "${" not in str(found.value):
        return Scalar(found.value, found.style, node.span)
    for _ in range(_ROUNDS):
        before = text
        text = _REFERENCE.sub(lambda match: _word(root, match), text)
        if text == before or len(text) > _LONGEST:
            break
    return Scalar(text[:_LONGEST], Style.QUOTED, node.span)


def _word(root: Mapping, match: re.Match[str]) -> str:
    found = _at(root, match[1])
    return match[0] if found is None or found.value is None else str(found.value)


def _at(root: Mapping, dotted: str) -> Scalar | None:
    node: Node | None = root
    for step in dotted.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node if isinstance(node, Scalar) else None
