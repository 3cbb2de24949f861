"""Laying one tree over another: mappings merge deeply, blocks change rows of tables, all else replaces."""

from __future__ import annotations

from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence, Style, Table


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
    if isinstance(under, Table) and isinstance(over, Mapping):
        return _rows_changed(under, over)
    return over


def _rows_changed(table: Table, over: Mapping) -> Node:
    """A table with the rows of a block of blocks laid over those of the same name, new ones at the end.

    It stays a table, so that laying trees over each other is associative. A table in which names stand twice,
    and a block of anything else, cannot be brought together: the block replaces.
    """
    blocks = [(entry, entry.value) for entry in over if isinstance(entry.value, Mapping)]
    names = [row.items[0].value for row in table.rows if isinstance(row.items[0], Scalar)]
    if len(blocks) < len(over.entries) or len(set(names)) < len(table.rows):
        return over
    old = {str(name): _block(table, row) for name, row in zip(names, table.rows, strict=True)}
    new = dict(old)
    for entry, block in blocks:
        name = entry.key.name
        head = Entry(table.columns[0], Scalar(name, Style.BARE, entry.key.span))
        own = Mapping((head, *block.entries), block.span)
        new[name] = merge(old[name], own) if name in old else own
    columns = {key.name: key for key in table.columns}
    for block in new.values():
        columns |= {e.key.name: e.key for e in block if e.key.name not in columns}
    rows = tuple(_row(block, tuple(columns.values())) for block in new.values())
    return Table(tuple(columns.values()), rows, table.span)


def _block(table: Table, row: Sequence) -> Mapping:
    return Mapping(tuple(Entry(k, v) for k, v in zip(table.columns, row.items, strict=True)), row.span)


def _row(block: Mapping, columns: tuple[Key, ...]) -> Sequence:
    blank = Scalar(None, Style.BARE, block.span)
    return Sequence(tuple(block.get(key.name) or blank for key in columns), block.span)
