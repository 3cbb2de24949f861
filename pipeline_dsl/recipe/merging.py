"""Laying one tree over another: mappings merge deeply, everything else replaces."""

from __future__ import annotations

from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar


def merge(under: Mapping, over: Mapping) -> Mapping:
    """Return ``under`` with ``over`` laid on it; every value keeps the place it comes from.

    A block whose ``use`` names another provider replaces the block under it whole: the options of one
    provider mean nothing to another.
    """
    if _other_provider(under, over):
        return over
    return _merged(under, over)


def overlay(under: Mapping, over: Mapping) -> Mapping:
    """Like ``merge``, but keep what is under even where ``use`` differs: what ``like`` promises."""
    return _merged(under, over)


def without(block: Mapping, *names: str) -> Mapping:
    """Return a block without some of its keys."""
    return Mapping(tuple(e for e in block.entries if e.key.name not in names), block.span)


def replaced(block: Mapping, entry: Entry) -> Mapping:
    """Return a block with an entry in place of the one of the same name, or at the end."""
    name = entry.key.name
    if block.entry(name) is None:
        return Mapping((*block.entries, entry), block.span)
    return Mapping(tuple(entry if e.key.name == name else e for e in block.entries), block.span)


def _merged(under: Mapping, over: Mapping) -> Mapping:
    entries = {e.key.name: e for e in under.entries}
    for entry in over.entries:
        name = entry.key.name
        old = entries.get(name)
        entries[name] = Entry(entry.key, _node(old.value, entry.value)) if old else entry
    return Mapping(tuple(entries.values()), over.span)


def _other_provider(under: Mapping, over: Mapping) -> bool:
    old, new = under.get("use"), over.get("use")
    return isinstance(old, Scalar) and isinstance(new, Scalar) and old.value != new.value


def _node(under: Node, over: Node) -> Node:
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return merge(under, over)
    return over
