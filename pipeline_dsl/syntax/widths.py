"""Repairs of rows that have more or fewer cells than their table has columns."""

from __future__ import annotations

from itertools import pairwise

from pipeline_dsl.syntax.nodes import Node, Scalar, Sequence, Style
from pipeline_dsl.syntax.repairs import Repair, around, insertion, replacement

_OFFERED = 4


def fitted(text: str, row: Sequence, width: int) -> tuple[Repair, ...]:
    """Ways to bring a row to its width, the likeliest first."""
    cells = row.items
    if len(cells) < width:
        added = ", null" * (width - len(cells))
        return (insertion(row.span.end, added, f"write `{added[2:]}` at its end"),)
    if len(cells) != width + 1:
        return ()
    last = cells[-1]
    if isinstance(last, Scalar) and last.style is Style.EMPTY:
        comma = text.rfind(",", cells[-2].span.end, last.span.start)
        message = "remove the comma at its end"
        return (replacement(comma, comma + 1, "", safe=True, message=message),) if comma >= 0 else ()
    pairs = sorted((pair for pair in pairwise(cells) if all(map(_is_bare, pair))), key=_likely)
    return tuple(
        around(a.span.start, b.span.end, '""', f'write "{text[a.span.start : b.span.end]}"')
        for a, b in pairs[:_OFFERED]
    )


def _is_bare(cell: Node) -> bool:
    return isinstance(cell, Scalar) and cell.style in {Style.BARE, Style.NUMBER}


def _likely(pair: tuple[Node, Node]) -> int:
    """Text of several words has a comma sooner than a name has."""
    return -sum(" " in cell.span.text for cell in pair)
