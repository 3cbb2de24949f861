"""Reading one text of a recipe: parsed, with secrets blotted out of everything that is kept."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.diagnostics import Diagnostic, Source, Span
from pipeline_dsl.recipe import secrets
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.shifting import Shift
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Style
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
    places = secrets.places(source, parsed.root, _errors(parsed.diagnostics))
    if places:
        source = secrets.blotted(source, places)
        parsed = parse(source)
        secrets.report(source, parsed.root, places, findings)
    broken = _errors(parsed.diagnostics)
    findings.extend(parsed.diagnostics)
    findings.broken += [*broken, *(Span(source, start, end) for start, end in places)]
    return Text(source, parsed.root, whole=not broken)


def _errors(found: tuple[Diagnostic, ...]) -> tuple[Span, ...]:
    return tuple(d.span for d in found if d.is_error and d.span)


@dataclass(frozen=True, slots=True)
class Given:
    """A value given on the command line, and the argument it stood in."""

    source: Source
    node: Node


def read_argument(option: str, text: str, findings: Findings) -> Source:
    """An argument of the command line. A secret in it is an error and is gone from the source returned.

    Of ``path=value`` the value may be a secret by the last name of the path, too.
    """
    source = Source.of(option, text)
    path, equals, value = text.partition("=")
    shift = Shift(source, len(path) + len(equals))
    node, found = parse_value(Source.of(option, value))
    whole = Span(source, 0, len(text))
    key = Key(path.rpartition(".")[2].strip(), whole)
    tree = Mapping((Entry(key, shift.node(node)),) if node and equals else (), whole)
    places = secrets.places(source, tree, [shift.span(span) for span in _errors(found)])
    if not places:
        return source
    source = secrets.blotted(source, places)
    findings.error(
        Code.SECRET,
        "a secret is written out",
        Span(source, 0, len(path) if equals else len(text)),
        reason="the arguments of a command can be seen by others and are kept in the run's folder",
        help="list the variable in the recipe's `environment: [NAME]` and write `${env:NAME}`",
    )
    findings.broken.append(Span(source, 0, len(text)))
    return source


def read_value(source: Source, start: int, findings: Findings) -> Given | None:
    """Parse the value that begins at ``start`` of an argument; its spans are those of the whole argument."""
    text = source.text[start:].strip()
    if not text:
        return Given(source, Scalar(None, Style.EMPTY, Span(source, start, len(source.text))))
    by = source.text.index(text, start)
    node, found = parse_value(Source.of(source.name, text))
    shift = Shift(source, by)
    findings.extend(tuple(shift.diagnostic(d) for d in found))
    findings.broken += [shift.span(span) for span in _errors(found)]
    return Given(source, shift.node(node)) if node is not None else None
