"""Where a name is given and used, and giving it another one: exact, over all files of its recipes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.language_server.mentions import FILE, Mention, declared, mentions
from pipeline_dsl.recipe.extends import read_chain
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.names import BASE_ROW, check_name
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Mapping as Block
from pipeline_dsl.syntax.nodes import Scalar, Style
from pipeline_dsl.syntax.parser import parse_value


class RefusedError(Exception):
    """A name that cannot be given; the text says why."""


@dataclass(frozen=True, slots=True)
class Names:
    """All mentions in the files of one or several recipes."""

    mentions: tuple[Mention, ...]

    def at(self, real: str, offset: int) -> Mention | None:
        """The mention at an offset of a file."""
        found = (m for m in self.mentions if m.span.start <= offset <= m.span.end)
        return next((m for m in found if os.path.realpath(m.span.source.name) == real), None)

    def same(self, mention: Mention) -> tuple[Mention, ...]:
        """All mentions of the same name."""
        return tuple(m for m in self.mentions if (m.section, m.name) == (mention.section, mention.name))

    def given(self, mention: Mention) -> tuple[Mention, ...]:
        """Where a name is given: outside of profiles if it is given there."""
        every = [m for m in self.same(mention) if m.gives]
        return tuple([m for m in every if not m.overlay] or every)


def names_of(paths: Iterable[str], unsaved: Mapping[str, str]) -> Names:
    """Read recipes with all that they extend, and find every mention in them."""
    roots: dict[str, Block] = {}
    for path in paths:
        chain = read_chain(path, Findings(), given=unsaved)
        for layer in chain.layers if chain else ():
            if isinstance(layer.node, Block):
                roots.setdefault(os.path.realpath(layer.name), layer.node)
    known = declared(tuple(roots.values()))
    return Names(tuple(m for root in roots.values() for m in mentions(root, known)))


def target(mention: Mention) -> str | None:
    """The path of the file that a mention in ``extends`` leads to."""
    if mention.section != FILE:
        return None
    path = Path(mention.span.source.name).parent / mention.name
    return str(path) if path.is_file() else None


def renamed(names: Names, mention: Mention, new: str) -> tuple[Span, ...]:
    """The spans in which to write a new name.

    Raises:
        RefusedError: it cannot be a name here.
    """
    if mention.section == FILE:
        raise RefusedError("a file is renamed in its folder; then change `extends`")
    same = names.same(mention)
    if not any(m.gives for m in same):
        raise RefusedError(f"`{mention.name}` is not given a name in this recipe: nothing to rename")
    _refuse(names, mention, normal(new))
    return tuple(dict.fromkeys(m.span for m in same))


def _refuse(names: Names, mention: Mention, new: str) -> None:
    findings = Findings()
    if not check_name(Ref(new, mention.span), "this", findings):
        raise RefusedError(findings.all()[0].message)
    value, found = parse_value(Source.of("name", new))
    if found or not isinstance(value, Scalar) or value.style is not Style.BARE:
        why = found[0].message if found else "it reads as a number or a keyword"
        raise RefusedError(f"`{new}` cannot be a name: {why}")
    if mention.section == "phases" and new == BASE_ROW:
        raise RefusedError(f"a phase cannot be called `{BASE_ROW}`: that is the untouched model")
    if mention.section == "data" and "." in new:
        raise RefusedError("the name of data has no dot: it would name a part")
    if new != mention.name and any(
        (m.section, m.name, m.gives) == (mention.section, new, True) for m in names.mentions
    ):
        raise RefusedError(f"there is a `{new}` in `{mention.section}` already")
