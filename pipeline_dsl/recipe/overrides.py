"""``--set a.b.c=value``: single values laid over everything that the files say."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.diagnostics import Related, Source, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.merging import replaced
from pipeline_dsl.recipe.origins import Layer, LayerKind
from pipeline_dsl.recipe.paths import Found, Missing, Step, Steps, children, dotted, locate, rows
from pipeline_dsl.recipe.profiles import READ_EARLY
from pipeline_dsl.recipe.reading import read_argument, read_value
from pipeline_dsl.recipe.suggest import suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence

OPTION = "--set"
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Overridden:
    """The tree with all overrides applied."""

    tree: Mapping
    layers: tuple[Layer, ...]
    sources: tuple[Source, ...]


def apply_sets(tree: Mapping, sets: tuple[str, ...], findings: Findings) -> Overridden:
    """Apply overrides in the order in which they are given."""
    layers, sources = [], []
    for given in sets:
        source = read_argument(OPTION, given, findings)
        text = source.text
        override = read_value(source, _equals(text) + 1, findings) if _fine(text, findings) else None
        if override is None:
            continue
        sources.append(override.source)
        span = Span(override.source, 0, _equals(text))
        steps = _resolve(tree, text[: _equals(text)].strip(), span, findings)
        if steps is not None:
            tree = _mapping(_placed(tree, steps, override.node, span))
            layers.append(Layer(LayerKind.SET, text[: _equals(text)].strip(), steps, override.node))
    return Overridden(tree, tuple(layers), tuple(sources))


def _equals(text: str) -> int:
    return text.find("=")


def _fine(text: str, findings: Findings) -> bool:
    path = text.partition("=")[0].strip()
    segments = path.split(".")
    span = Span(Source.of(OPTION, path), 0, len(path))
    if "=" not in text or not path:
        why = "needs a path and a value"
    elif not all(segments) or any(c.isspace() or not c.isprintable() for c in path):
        why = f"cannot read the path `{path if path.isprintable() else '...'}`"
    elif len(segments) > _DEEPEST:
        why = f"takes a path of at most {_DEEPEST} names"
    elif segments[0] in READ_EARLY:
        findings.error(
            Code.USELESS_IN_PROFILE,
            f"`{segments[0]}` cannot be set: it is read before `--set` is",
            span,
            help="choose a profile with --profile NAME; change `extends` in the file",
        )
        return False
    else:
        return True
    findings.error(Code.MALFORMED_SET, f"`--set` {why}", span, help="write --set train.epochs=2")
    return False


def _resolve(tree: Mapping, path: str, span: Span, findings: Findings) -> Steps | None:
    """Return the exact steps of a path; names that are not there yet are made in blocks."""
    place = locate(tree, path)
    if isinstance(place, Found):
        return place.steps
    if isinstance(place.node, Mapping) or (isinstance(place.node, Scalar) and place.node.value is None):
        return (*place.steps, *place.rest)
    findings.error(
        Code.UNREACHABLE_SET,
        _unreachable(place),
        span,
        help=suggestion(place.rest[0], children(place.node), what="there is")
        or "leave the last part of the path out",
        related=(Related(message=f"`{dotted(place.steps)}` stands here", span=place.node.span),),
    )
    return None


def _unreachable(place: Missing) -> str:
    here, name = dotted(place.steps), place.rest[0]
    if place.ambiguous:
        return f"`{here}` has more than one row `{name}`; name the row by its index"
    return f"`{here}` is {kind_of(place.node)} and has no `{name}`"


def _placed(node: Node, steps: tuple[Step, ...], value: Node, span: Span) -> Node:
    """Return a tree with a value at the given steps."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = rows(node)
        changed = _placed(items[step], rest, value, span)
        return Sequence((*items[:step], changed, *items[step + 1 :]), node.span)
    block = _mapping(node)
    old = block.entry(step)
    inner = _placed(old.value if old else Mapping((), span), rest, value, span)
    return replaced(block, Entry(old.key if old and rest else Key(step, span), inner))


def _mapping(node: Node) -> Mapping:
    """A block, an empty one for what an override replaces by a block."""
    return node if isinstance(node, Mapping) else Mapping((), node.span)
