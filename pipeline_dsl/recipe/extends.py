"""``extends``: the files a recipe is laid on, read base first."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pipeline_dsl.diagnostics import Diagnostic, Related, Source, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.origins import Layer, LayerKind
from pipeline_dsl.recipe.reading import Text, read_text
from pipeline_dsl.recipe.spelling import as_spelt_on_disk
from pipeline_dsl.recipe.suggest import renamed_file, suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.nodes import Node, Scalar, Sequence
from pipeline_dsl.syntax.reading import read_source

DEPTH_LIMIT = 16
FILE_LIMIT = 64
STANDARD_INPUT = "-"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Chain:
    """The files of a recipe, the weakest first, the recipe's own last."""

    layers: tuple[Layer, ...]
    sources: tuple[Source, ...]
    whole: bool
    """Whether all of them could be read completely."""
    broken: tuple[Span, ...] = ()
    """What is reported as wrong in them."""


@dataclass(slots=True)
class _Walk:
    """State while the files of one recipe are read."""

    root: str
    """Real path of the folder that no file may leave."""
    findings: Findings
    given: Mapping[str, str]
    """Texts in place of files, by their real paths."""
    texts: dict[str, Text | None] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    asked: int = 0
    """How many files were asked for, those that are not there included."""
    whole: bool = True


def read_chain(
    path: str, findings: Findings, source: Source | None = None, given: Mapping[str, str] = _NONE
) -> Chain | None:
    """Read a recipe, or take its text, and all that it extends; None where the recipe cannot be read."""
    walk = _Walk(os.path.realpath(Path(path).parent), findings, given)
    here = path if path == STANDARD_INPUT else os.path.realpath(path)
    if source is not None:
        walk.texts[here] = read_text(source, findings)
    text = _read(path, here, walk)
    if text is None:
        return None
    walk.whole = walk.whole and text.whole
    _visit(text, [(here, text.root.span)], walk)
    sources = tuple(text.source for text in walk.texts.values() if text)
    return Chain(tuple(walk.layers), sources, walk.whole, tuple(findings.broken))


def _read(path: str, real: str, walk: _Walk) -> Text | None:
    """Read and parse a file once."""
    if real not in walk.texts:
        source, found = _source(path, real, walk)
        walk.findings.extend(found)
        walk.texts[real] = read_text(source, walk.findings) if source else None
        text = walk.texts[real]
        walk.whole = walk.whole and text is not None and text.whole
    return walk.texts[real]


def _source(path: str, real: str, walk: _Walk) -> tuple[Source | None, tuple[Diagnostic, ...]]:
    given = walk.given.get(real)
    return read_source(path) if given is None else (Source.of(path, given), ())


def _visit(text: Text, trail: list[tuple[str, Span]], walk: _Walk) -> None:
    """Add the layers of a text's bases, then its own. ``trail`` is how it was come by."""
    for target in _targets(text.root.get("extends"), walk):
        _extend(target, text, trail, walk)
    walk.layers.append(Layer(LayerKind.FILE, text.source.name, (), text.root))


def _extend(target: Scalar, text: Text, trail: list[tuple[str, Span]], walk: _Walk) -> None:
    name = str(target.value)
    walk.asked += 1
    if walk.asked >= FILE_LIMIT or len(trail) >= DEPTH_LIMIT:
        _too_many(name, target.span, walk)
        return
    path = str(as_spelt_on_disk(Path(text.source.name).parent / name))
    real = os.path.realpath(path.replace("\0", ""))
    if not _inside(name, real, target.span, walk):
        return
    if any(real == visited for visited, _ in trail):
        _cycle(real, target.span, trail, walk)
        return
    if not _is_file(real):
        _unreadable(name, Path(real), target.span, walk)
        return
    extended = _read(path, real, walk)
    if extended:
        _visit(extended, [*trail, (real, target.span)], walk)


def _targets(node: Node | None, walk: _Walk) -> list[Scalar]:
    """The files that ``extends`` names."""
    if node is None:
        return []
    items = node.items if isinstance(node, Sequence) else (node,)
    targets = []
    for item in items:
        if isinstance(item, Scalar) and isinstance(item.value, str) and item.value:
            targets.append(item)
        else:
            message = f"`extends` must be a path or a list of paths, not {kind_of(item)}"
            walk.findings.error(Code.WRONG_TYPE, message, item.span, help="write extends: base.sdn")
            walk.whole = False
    return targets


def _inside(name: str, real: str, span: Span, walk: _Walk) -> bool:
    """Whether a file may be extended: it must lie in the folder of the recipe."""
    if Path(name).is_absolute():
        why = "is an absolute path"
    elif "\0" in name or os.path.commonpath([walk.root, real]) != walk.root:
        why = "leads out of the recipe's folder"
    else:
        return True
    walk.whole = False
    walk.findings.error(
        Code.EXTENDS_OUTSIDE,
        f"`extends` may not name `{name}`: it {why}",
        span,
        reason="a recipe that somebody sends may read only what lies in its own folder",
        help="copy the file beside the recipe, or move the recipe up to a folder that holds both",
    )
    return False


def _too_many(name: str, span: Span, walk: _Walk) -> None:
    if walk.asked > FILE_LIMIT:
        return
    many = walk.asked == FILE_LIMIT
    what = f"more than {FILE_LIMIT} files" if many else f"a chain of more than {DEPTH_LIMIT} files"
    walk.findings.error(
        Code.EXTENDS_TOO_MANY,
        f"`{name}` is not read: {what} would be extended",
        span,
        help="put what the recipes share into one file",
    )
    walk.whole = False


def _cycle(real: str, span: Span, trail: list[tuple[str, Span]], walk: _Walk) -> None:
    start = next(i for i, (visited, _) in enumerate(trail) if visited == real)
    names = [Path(visited).name for visited, _ in trail[start:]]
    walk.findings.error(
        Code.EXTENDS_CYCLE,
        f"recipes extend each other: {' -> '.join([*names, names[0]])}",
        span,
        help="move what both need into a third file",
        related=tuple(Related(message="extended here", span=where) for _, where in trail[start + 1 :]),
    )


def _is_file(real: str) -> bool:
    try:
        return stat.S_ISREG(Path(real).stat().st_mode)
    except OSError:
        return False


def _unreadable(name: str, path: Path, span: Span, walk: _Walk) -> None:
    try:
        there = [found.name for found in path.parent.iterdir()]
    except OSError:
        there = []
    state = "is not a file" if path.name in there else "does not exist"
    beside = [found for found in there if found.endswith(".sdn")]
    walk.findings.error(
        Code.EXTENDS_UNREADABLE,
        f"`{name}` {state}",
        span,
        help=suggestion(path.name, beside, what="recipes there")
        or "a path is relative to the file it stands in",
        fixes=renamed_file(span, name, beside),
    )
    walk.whole = False
