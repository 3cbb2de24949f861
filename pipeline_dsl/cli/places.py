"""A path into a text, as ``sdn get`` and ``sdn set`` take it: as ``--set`` does, or with names in quotes."""

from __future__ import annotations

import re
from dataclasses import replace

import click

from pipeline_dsl.diagnostics import Diagnostic, Related, Source, Span
from pipeline_dsl.recipe.paths import Found, Missing, children, dotted, follow, locate
from pipeline_dsl.recipe.suggest import nearest, suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.nodes import Mapping, Scalar, Table
from pipeline_dsl.syntax.strings import unescape

_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')
_PATH = re.compile(rf"(?:{_NAME.pattern})(?:\.(?:{_NAME.pattern}))*")
ARGUMENT = "PATH"


def find(root: Mapping, path: str) -> Found | Missing:
    """Follow a path. A name in quotes is one name whatever stands in it.

    Raises click.UsageError for what is no path.
    """
    if not _PATH.fullmatch(path) or "\0" in path:
        msg = f"{path!r} is no path: write names with dots between them, as in phases.mcq.train.epochs"
        raise click.UsageError(msg)
    found: Found | Missing = Found((), root)
    bare: list[str] = []
    for match in _NAME.finditer(path):
        if match[1] is None:
            bare.append(match[2])
            continue
        found = _on(_on(found, ".".join(bare)) if bare else found, unescape(match[1]), whole=True)
        bare = []
    return _on(found, ".".join(bare)) if bare else found


def _on(found: Found | Missing, names: str, *, whole: bool = False) -> Found | Missing:
    """Go on from where a path led so far; ``whole`` takes the names as one."""
    if isinstance(found, Missing):
        more = (names,) if whole else tuple(names.split("."))
        return Missing(found.steps, found.node, (*found.rest, *more), ambiguous=found.ambiguous)
    following = locate(found.node, names)
    if whole and (isinstance(following, Missing) or len(following.steps) > 1):
        ambiguous = isinstance(following, Missing) and following.ambiguous
        return Missing(found.steps, found.node, (names,), ambiguous=ambiguous)
    return replace(following, steps=(*found.steps, *following.steps))


def may_be_made(root: Mapping, place: Missing) -> bool:
    """Whether a path that is not there can be: entries of mappings can, rows and columns cannot."""
    if place.steps and isinstance(follow(root, place.steps[:-1]), Table):
        return False
    empty = isinstance(place.node, Scalar) and place.node.value is None
    return (empty or isinstance(place.node, Mapping)) and not place.ambiguous


def not_there(place: Missing, path: str) -> Diagnostic:
    """The finding of a path that leads to nothing: how far it leads, and the nearest name there."""
    here, name = dotted(place.steps), place.rest[0]
    where = f"`{here}`" if here else "the text"
    if place.ambiguous:
        message, help_line = f"{where} has more than one row `{name}`", "name the row by its index"
    else:
        message = f"{where}, {kind_of(place.node)}, has no `{name}`"
        help_line = suggestion(name, children(place.node), what="there is") or "leave the last name out"
    source = Source.of(ARGUMENT, path)
    start = max(path.find(name), 0)
    related = (Related(message=f"{where} stands here", span=place.node.span),) if here else ()
    return Diagnostic(
        code=Code.NO_SUCH_PATH.value,
        message=message,
        span=Span(source, start, min(start + len(name), len(path))),
        help=help_line,
        related=related,
    )


def was_added(place: Missing, file: str, path: str) -> str:
    """Tell that a path is new in a text, and which one it may be a slip of."""
    near = nearest(place.rest[0], children(place.node))
    doubt = f"; was `{dotted((*place.steps, near))}` meant?" if near else ""
    return f"{file}: `{path}` was not there and is added{doubt}"
