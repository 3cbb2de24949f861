"""Reading one text of a recipe: parsed, with secrets blotted out of everything that is kept."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe import secrets
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.shifting import Shift
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Style
from pipeline_dsl.syntax.parser import parse, parse_value


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed text. ``whole`` is False where part of it could not be read."""

    source: Source
    root: Mapping
    whole: bool


def read_text(source: Source, findings: Findings) -> Text:
    """Parse a source. A secret in it is an error and is gone from the source and the tree returned."""
    parsed = parse(source)
    places = secrets.token_places(source.text)
    places += [p for p in secrets.keyed_places(parsed.root) if not _within(p, places)]
    if places:
        source = secrets.blotted(source, places)
        parsed = parse(source)
        secrets.report(source, parsed.root, sorted(places), findings)
    findings.extend(parsed.diagnostics)
    return Text(source, parsed.root, whole=not any(d.is_error for d in parsed.diagnostics))


def _within(place: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start < place[1] and place[0] < end for start, end in others)


@dataclass(frozen=True, slots=True)
class Given:
    """A value given on the command line, and the argument it stood in."""

    source: Source
    node: Node


def read_value(source: Source, start: int, findings: Findings) -> Given | None:
    """Parse the value that begins at ``start`` of an argument; its spans are those of the whole argument."""
    places = secrets.token_places(source.text)
    if places:
        source = secrets.blotted(source, places)
        findings.error(
            Code.SECRET,
            "a secret is written out",
            Span(source, 0, max(start - 1, 0)),
            reason="the arguments of a command can be seen by others and are kept in the run's folder",
            help="list the variable in the recipe's `environment: [NAME]` and write `${env:NAME}`",
        )
    text = source.text[start:].strip()
    if not text:
        return Given(source, Scalar(None, Style.EMPTY, Span(source, start, len(source.text))))
    by = source.text.index(text, start)
    node, found = parse_value(Source.of(source.name, text))
    shift = Shift(source, by)
    findings.extend(tuple(shift.diagnostic(d) for d in found))
    return Given(source, shift.node(node)) if node is not None else None
