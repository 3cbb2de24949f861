"""``${a.b}`` and ``${env:NAME}`` inside strings, filled in once; ``$${`` stands for ``${`` itself."""

from __future__ import annotations

import re
from collections.abc import Mapping as Variables
from dataclasses import dataclass, field

from pipeline_dsl.diagnostics import Fix, Related, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.likes import LIKE, SECTIONS
from pipeline_dsl.recipe.paths import Missing, Steps, children, dotted, locate
from pipeline_dsl.recipe.suggest import renamed, suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar, Sequence, Style, Table, TypedTable

_PIECE = re.compile(r"\$\$\{|\$\{([^{}\n]*)\}|\$\{")
_ENVIRONMENT = "env:"
_UNTOUCHED = ("profiles", "extends", "environment")
_LONGEST = 100_000
_LONGEST_CHAIN = 32
_LONGEST_LIST = 256
_BLOCK_DEPTH = 2


@dataclass(frozen=True, slots=True)
class Filled:
    """The tree with references filled in."""

    tree: Mapping
    hidden: frozenset[Steps]
    """Paths of values that hold an environment variable."""
    secrets: tuple[str, ...]
    """The values of those variables."""
    broken: tuple[Span, ...]
    """Values with a reference that could not be filled in."""


def interpolate(tree: Mapping, variables: Variables[str, str], findings: Findings) -> Filled:
    """Fill in every reference; one that cannot be filled in is reported and stays as it is written."""
    work = _Filling(tree, variables, _listed(tree.get("environment"), findings), findings)
    entries = tuple(
        e if e.key.name in _UNTOUCHED else Entry(e.key, work.node(e.value, (e.key.name,))) for e in tree
    )
    hidden = frozenset(steps for steps, secret in work.secret.items() if secret)
    secrets = tuple(dict.fromkeys(work.used))
    return Filled(Mapping(entries, tree.span), hidden, secrets, tuple(work.broken.values()))


def _listed(node: Node | None, findings: Findings) -> tuple[str, ...]:
    """The names in ``environment``."""
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else (node,)
    names = tuple(i.value for i in items if isinstance(i, Scalar) and isinstance(i.value, str) and i.value)
    if not isinstance(node, Sequence) or len(names) != len(items):
        message = f"`environment` must be a list of names of variables, not {kind_of(node)}"
        help_line = "write environment: [HF_TOKEN]"
        findings.error(Code.WRONG_TYPE, message, node.span, help=help_line)
    return names


@dataclass(slots=True)
class _Filling:
    """State while one tree is filled in."""

    tree: Mapping
    variables: Variables[str, str]
    listed: tuple[str, ...]
    findings: Findings
    done: dict[Steps, Node] = field(default_factory=dict)
    secret: dict[Steps, bool] = field(default_factory=dict)
    active: list[tuple[Steps, Span]] = field(default_factory=list)
    broken: dict[Steps, Span] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def node(self, node: Node, steps: Steps) -> Node:
        match node:
            case Scalar(value=str() as text):
                return self._scalar(node, steps) if "${" in text else node
            case Scalar():
                return node
            case Mapping():
                entries = (self._entry(e, steps) for e in node)
                return Mapping(tuple(entries), node.span)
            case Sequence():
                items = (self.node(item, (*steps, i)) for i, item in enumerate(node.items))
                return Sequence(tuple(items), node.span)
            case Table():
                return Table(node.columns, self._rows(node, steps), node.span)
            case TypedTable():
                return TypedTable(node.types, self._rows(node, steps), node.span)

    def _entry(self, entry: Entry, steps: Steps) -> Entry:
        if entry.key.name == LIKE and len(steps) == _BLOCK_DEPTH and steps[0] in SECTIONS:
            return entry  # it could not be followed, which is reported already
        return Entry(entry.key, self.node(entry.value, (*steps, entry.key.name)))

    def _rows(self, node: Table | TypedTable, steps: Steps) -> tuple[Sequence, ...]:
        names: list[str | int] = [c.name for c in node.columns] if isinstance(node, Table) else []
        rows = []
        for i, row in enumerate(node.rows):
            cells = zip(names or range(len(row.items)), row.items, strict=True)
            rows.append(Sequence(tuple(self.node(cell, (*steps, i, name)) for name, cell in cells), row.span))
        return tuple(rows)

    def _scalar(self, scalar: Scalar, steps: Steps) -> Node:
        if steps not in self.done:
            self.active.append((steps, scalar.span))
            self.done[steps] = self._filled(scalar, steps)
            self.active.pop()
        return self.done[steps]

    def _filled(self, scalar: Scalar, steps: Steps) -> Node:
        text = str(scalar.value)
        whole = _PIECE.fullmatch(text)
        if whole and whole[1] is not None:
            node = self._moved(whole[1].strip(), scalar, steps)
            return node if node is not None else self._fail(scalar, steps)
        pieces, last = [], 0
        for match in _PIECE.finditer(text):
            piece = self._piece(match, scalar, steps)
            if piece is None:
                return self._fail(scalar, steps)
            pieces += [text[last : match.start()], piece]
            last = match.end()
        result = "".join([*pieces, text[last:]])
        if len(result) <= _LONGEST:
            return Scalar(result, Style.QUOTED, scalar.span)
        message = f"filled in, this text has more than {_LONGEST:,} characters"
        help_line = "refer to shorter texts, or write this one out"
        self.findings.error(Code.MALFORMED_REFERENCE, message, scalar.span, help=help_line)
        return self._fail(scalar, steps)

    def _fail(self, scalar: Scalar, steps: Steps) -> Scalar:
        self.broken[steps] = scalar.span
        return scalar

    def _moved(self, name: str, scalar: Scalar, steps: Steps) -> Node | None:
        """A value taken over whole: it stands where the reference stands."""
        node = self._value(name, scalar.span, steps)
        if node is None:
            return None
        if isinstance(node, Scalar):
            return Scalar(node.value, node.style, scalar.span)
        if isinstance(node, Sequence) and len(node.items) <= _LONGEST_LIST and _flat(node):
            return Sequence(node.items, scalar.span)
        self.findings.error(
            Code.MALFORMED_REFERENCE,
            f"`${{{name}}}` is {kind_of(node)}; only single values and short lists can be referred to",
            scalar.span,
            help="use `like: NAME` to copy a block",
        )
        return None

    def _piece(self, match: re.Match[str], scalar: Scalar, steps: Steps) -> str | None:
        """The text that one ``${...}`` stands for, None where that is reported as wrong."""
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            self.findings.error(
                Code.MALFORMED_REFERENCE,
                "`${` without a `}` that closes it",
                scalar.span,
                help="write `$${` for the two characters themselves",
            )
            return None
        node = self._value(match[1].strip(), scalar.span, steps)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.value is not None:
            return _text(node)
        self.findings.error(
            Code.MALFORMED_REFERENCE,
            f"`{match[0]}` is {kind_of(node)} and cannot stand inside text",
            scalar.span,
            help="refer to a single value; a value that is nothing but the reference may be a list",
        )
        return None

    def _value(self, name: str, span: Span, steps: Steps) -> Node | None:
        if name.startswith(_ENVIRONMENT):
            return self._variable(name.removeprefix(_ENVIRONMENT).strip(), span, steps)
        place = locate(self.tree, name)
        if isinstance(place, Missing):
            self._unknown(name, place, span)
            return None
        if any(place.steps == before or _below(before, place.steps) for before, _ in self.active):
            self._cycle(place.steps, span)
            return None
        if len(self.active) >= _LONGEST_CHAIN:
            message = f"a chain of more than {_LONGEST_CHAIN} references"
            help_line = "refer to the value at its end"
            self.findings.error(Code.REFERENCE_CYCLE, message, span, help=help_line)
            return None
        node = self.node(place.node, place.steps)
        if any(place.steps == b or _below(b, place.steps) for b in self.broken):
            return None
        hidden = any(s == place.steps or _below(s, place.steps) for s, on in self.secret.items() if on)
        self.secret[steps] = self.secret.get(steps, False) or hidden
        return node

    def _variable(self, name: str, span: Span, steps: Steps) -> Scalar | None:
        if name not in self.listed:
            self.findings.error(
                Code.ENVIRONMENT_NOT_LISTED,
                f"`${{env:{name}}}` is not in the recipe's `environment` list",
                span,
                reason="a recipe says openly which variables it reads",
                help=f"write environment: [{', '.join((*self.listed, name))}]"
                if name
                else "write ${env:NAME}",
            )
            return None
        value = self.variables.get(name)
        if value is None:
            message = f"the environment variable `{name}` is not set"
            self.findings.error(Code.ENVIRONMENT_NOT_SET, message, span, help=f"export {name}=...")
            return None
        self.used.append(value)
        self.secret[steps] = True
        return Scalar(value, Style.QUOTED, span)

    def _unknown(self, name: str, place: Missing, span: Span) -> None:
        here = f"`{dotted(place.steps)}` has no" if place.steps else "the recipe has no"
        if name.isupper() and name.isidentifier():
            help_line: str | None = f"an environment variable is written `${{env:{name}}}`"
        else:
            help_line = suggestion(place.rest[0], children(place.node), what="there is") or "write ${a.b}"
        self.findings.error(
            Code.UNKNOWN_REFERENCE,
            f"`${{{name}}}` refers to nothing: {here} `{place.rest[0]}`",
            span,
            help=help_line,
            fixes=_redirected(span, name, place),
        )

    def _cycle(self, target: Steps, span: Span) -> None:
        start = next(i for i, (s, _) in enumerate(self.active) if s == target or _below(s, target))
        loop = self.active[start:]
        names = [dotted(steps) for steps, _ in loop]
        self.findings.error(
            Code.REFERENCE_CYCLE,
            f"references go in a circle: {' -> '.join([*names, names[0]])}",
            span,
            help="write the value itself in one of these places",
            related=tuple(Related(message="refers on here", span=s) for _, s in loop if s != span),
        )


def _redirected(span: Span, name: str, place: Missing) -> tuple[Fix, ...]:
    """The fix that writes the name that is there in place of the first one that is not."""
    wrong = place.rest[0]
    at = span.text.find(f"${{{name}}}")
    if at < 0 or name.count(wrong) != 1:
        return ()
    start = span.start + at + len("${") + name.index(wrong)
    return renamed(Span(span.source, start, start + len(wrong)), wrong, children(place.node))


def _below(steps: Steps, above: Steps) -> bool:
    return len(steps) > len(above) and steps[: len(above)] == above


def _text(scalar: Scalar) -> str:
    """A value as it reads inside text."""
    if isinstance(scalar.value, str):
        return scalar.value
    spelling = scalar.span.text
    return spelling if scalar.style is Style.NUMBER and "$" not in spelling else str(scalar.value).lower()


def _flat(node: Sequence) -> bool:
    return all(isinstance(item, Scalar) for item in node.items)
