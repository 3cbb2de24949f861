"""Every place at which a name is given or used, in the trees of all files of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import accumulate

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.language_server import places
from pipeline_dsl.recipe.conditions import parse_condition
from pipeline_dsl.recipe.paths import Steps
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Key, Node, Scalar, Sequence, Style, TypedTable
from pipeline_dsl.syntax.nodes import Mapping as Block

_REFERENCE = re.compile(r"(?<!\$)\$\{([^{}\n]*)\}")
FILE = "extends"
"""What stands for the section of a file's path."""

Declared = Mapping[str, AbstractSet[str]]
"""Names by section."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place of a name. The span covers the name alone, without quotes."""

    section: str
    name: str
    span: Span
    gives: bool = False
    """Whether the name is given here."""
    overlay: bool = False
    """Whether it stands in a profile."""


def declared(roots: tuple[Block, ...]) -> dict[str, set[str]]:
    """The names that files give, by section."""
    found: dict[str, set[str]] = {section: set() for section in places.NAMED}
    for root in roots:
        for steps, node, _ in _walk(root, ()):
            section = places.declares_at(steps)
            if section is None:
                continue
            if isinstance(node, Scalar) and isinstance(steps[1], int):
                found[section].add(normal(str(node.value)))
            elif len(steps) == 2 or steps[0] == "profiles":  # noqa: PLR2004 - section and name
                found[section].add(str(steps[-1]))
    return found


def mentions(root: Block, known: Declared) -> Iterator[Mention]:
    """Yield every mention of one file, names of other files being known too."""
    for steps, node, key in _walk(root, ()):
        overlay = steps[:1] == ("profiles",) and len(steps) > 2  # noqa: PLR2004 - below a profile
        section = places.declares_at(steps)
        if section is not None and key is not None and not isinstance(steps[1 + 2 * overlay], int):
            yield Mention(section, key.name, _inner(key.span), gives=True, overlay=overlay)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield from _of_value(steps, node, known, gives=section == "tasks" and steps[-1] == "task")


def _of_value(steps: Steps, node: Scalar, known: Declared, *, gives: bool) -> Iterator[Mention]:
    span = _inner(node.span)
    section = "tasks" if gives else places.section_at(steps)
    overlay = steps[:1] == ("profiles",)
    if "${" in span.text:
        yield from _references(node, known)
    elif section == "data":
        yield _part(Mention(section, normal(str(node.value)), span), span.text.partition(".")[0])
    elif section is not None:
        yield Mention(section, normal(str(node.value)), span, gives=gives, overlay=overlay)
    elif places.is_file(steps):
        yield Mention(FILE, str(node.value), span)
    elif places.is_condition(steps):
        yield from _figures(node, known)


def _figures(node: Scalar, known: Declared) -> Iterator[Mention]:
    """Tasks in a condition."""
    condition, _ = parse_condition(str(node.value), node.span)
    for ref in condition.names if condition else ():
        if normal(ref.span.text) == ref.name:
            yield from _longest("tasks", ref.span.text.split("."), ref.span, known)


def _references(node: Scalar, known: Declared) -> Iterator[Mention]:
    """Names in ``${a.b}``."""
    if node.style is Style.BLOCK:
        return
    for match in _REFERENCE.finditer(node.span.text):
        section, _, rest = match[1].partition(".")
        if rest and section in places.NAMED:
            start = node.span.start + match.start(1) + len(section) + 1
            span = Span(node.span.source, start, start + len(rest))
            yield from _longest(section, rest.split("."), span, known)


def _longest(section: str, parts: list[str], span: Span, known: Declared) -> Iterator[Mention]:
    """The longest run of segments that is a name."""
    for name in reversed(list(accumulate(parts, lambda a, b: f"{a}.{b}"))):
        if normal(name) in known.get(section, ()):
            yield _part(Mention(section, normal(name), span), name)
            return


def _part(whole: Mention, spelt: str) -> Mention:
    """A mention narrowed to its first letters."""
    span = Span(whole.span.source, whole.span.start, whole.span.start + len(spelt))
    return Mention(whole.section, normal(spelt), span, gives=whole.gives, overlay=whole.overlay)


def _inner(span: Span) -> Span:
    """A span without the quotes around it."""
    text = span.text
    quoted = len(text) > 1 and text[0] == text[-1] == '"' and not text.startswith('"""')
    return Span(span.source, span.start + 1, span.end - 1) if quoted else span


def _walk(node: Node, steps: Steps) -> Iterator[tuple[Steps, Node, Key | None]]:
    """Every value with its path, and its key where it is that of an entry."""
    match node:
        case Block():
            for entry in node:
                inner = (*steps, entry.key.name)
                yield inner, entry.value, entry.key
                yield from _walk(entry.value, inner)
        case Sequence(items=items):
            for i, item in enumerate(items):
                yield (*steps, i), item, None
                yield from _walk(item, (*steps, i))
        case Scalar() | TypedTable():
            return
        case _:
            yield from _walk(node.as_sequence(), steps)
