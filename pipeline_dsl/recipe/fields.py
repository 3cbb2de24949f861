"""Typed reading of a block's keys: a wrong value is reported and reads as the default."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

from pipeline_dsl.diagnostics import Fix, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.respelling import as_text, number, respelt, whole, without_sign
from pipeline_dsl.recipe.suggest import Beside, nearest, renamed, suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Fields:
    """The keys of one block. ``where`` is its dotted path, "" for the recipe itself."""

    entries: dict[str, Entry]
    where: str
    span: Span
    """Of the whole block."""
    head: Span
    """A short place for findings about the whole block."""
    findings: Findings
    blanks: bool = False
    """Whether null and "" mean that nothing is there, as in a table's cells."""

    def label(self, name: str) -> str:
        """A key as messages call it."""
        return f"{self.where}.{name}" if self.where else name

    def node(self, name: str) -> Node | None:
        """What stands under a key, None for nothing."""
        entry = self.entries.get(name)
        if entry is None or (self.blanks and _is_blank(entry.value)):
            return None
        return entry.value

    def wrong(
        self,
        name: str,
        wanted: str,
        node: Node,
        help_line: str | None = None,
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        """Report a value of the wrong type, at the key where the value is nothing or runs over lines."""
        if self.findings.is_lost(node):
            self.findings.attempts += 1
            return
        shown = node.span.text
        at_key = name in self.entries and (not shown or "\n" in shown)
        span = self.entries[name].key.span if at_key else node.span
        message = f"`{self.label(name)}` must be {wanted}, not {kind_of(node)}"
        self.findings.error(Code.WRONG_TYPE, message, span, help=help_line, fixes=fixes)

    def out_of_range(self, name: str, wanted: str, node: Scalar) -> None:
        """Report a value of the right type that is too large or too small."""
        message = f"`{self.label(name)}` must be {wanted}, not {node.value}"
        self.findings.error(Code.OUT_OF_RANGE, message, node.span, fixes=without_sign(node.span))

    def missing(
        self,
        name: str,
        help_line: str | None = None,
        span: Span | None = None,
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        """Report a key that is needed and not there."""
        message = f"`{self.label(name)}` is missing"
        advice = help_line or f"give it a value for `{name}`"
        place = span or self.head
        self.findings.error(Code.MISSING_KEY, message, place, help=advice, about=name, fixes=fixes)

    def text(self, name: str, wanted: str = "text") -> str | None:
        """A non-empty text."""
        ref = self.ref(name, wanted)
        return ref.name if ref else None

    def ref(self, name: str, wanted: str = "a name") -> Ref | None:
        """A name and its place."""
        node = self.node(name)
        if node is None:
            return None
        found = as_ref(node)
        if found is None:
            quoted = isinstance(node, Scalar) and isinstance(node.value, int | float)
            help_line = f'write it in quotes: "{node.span.text}"' if quoted else None
            self.wrong(name, wanted, node, help_line, as_text(node))
        return found

    def refs(self, name: str) -> tuple[Ref, ...]:
        """A list of names; one alone is a list of one."""
        node = self.node(name)
        if node is None:
            return ()
        items = node.items if isinstance(node, Sequence) else (node,)
        found = []
        for item in items:
            ref = as_ref(item)
            if ref is None:
                self.wrong(name, "a list of names", item)
            else:
                found.append(ref)
        return tuple(found)

    def whole(self, name: str, *, least: int) -> int | None:
        """A whole number of at least ``least``."""
        node = self.node(name)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            self.wrong(name, "a whole number", node, _number_help(name, node), respelt(node, whole))
            return None
        if node.value < least:
            self.out_of_range(name, f"{least} or more", node)
            return None
        return node.value

    def number(self, name: str) -> float | None:
        """A number; ``float`` in Python's sense, whole numbers too."""
        node = self.node(name)
        if node is None:
            return None
        value = as_number(node)
        if value is None:
            self.wrong(name, "a number", node, _number_help(name, node), respelt(node, number))
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        """One of a few words."""
        ref = self.ref(name, f"one of {', '.join(choices)}")
        if ref is None or ref.name in choices:
            return ref.name if ref else None
        self.findings.error(
            Code.NOT_A_CHOICE,
            f"`{self.label(name)}` cannot be `{ref.name}`",
            ref.span,
            help=suggestion(ref.name, choices, what="one of"),
            fixes=renamed(ref.span, ref.name, choices),
        )
        return None

    def block(self, name: str, wanted: str = "a block") -> Mapping | None:
        """A block of keys."""
        node = self.node(name)
        if node is None or isinstance(node, Mapping):
            return node
        self.wrong(name, wanted, node)
        return None


def fields_of(
    block: Mapping, where: str, findings: Findings, known: Collection[str] | None, *, blanks: bool = False
) -> Fields:
    """Read a block; with ``known`` given, every other key is reported."""
    entries = {e.key.name: e for e in block.entries}
    if known is not None:
        check_keys(block, where, known, findings)
    return Fields(entries, where, block.span, head_of(block, row=blanks), findings, blanks)


def check_keys(block: Mapping, where: str, known: Collection[str], findings: Findings) -> None:
    """Report every key of a block that is not a known one."""
    names = frozenset(known)
    unknown = [entry.key for entry in block.entries if entry.key.name not in names]
    free = [n for n in known if block.get(n) is None] if unknown else []
    inside = f"in `{where}`" if where else "at the top of a recipe"
    for key in unknown:
        findings.error(
            Code.UNKNOWN_KEY,
            f"`{key.name}` is not a key {inside}",
            key.span,
            help=None if findings.full else _meant(key.name, free, known),
            fixes=() if findings.full else _slip(key, free, known, Beside(key, block)),
        )


def _slip(key: Key, free: Collection[str], known: Collection[str], taken: Container[str]) -> tuple[Fix, ...]:
    return renamed(key.span, key.name, free) or renamed(key.span, key.name, known, taken=taken)


def _meant(name: str, free: Collection[str], known: Collection[str]) -> str | None:
    """What to write in place of a key: one that is free or, where none is near, one that stands there too."""
    again = nearest(name, known) if nearest(name, free) is None else None
    return suggestion(name, [again] if again else free, what="keys")


def as_ref(node: Node) -> Ref | None:
    """A non-empty text as a name in NFC."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
        return Ref(normal(node.value), node.span)
    return None


def as_number(node: Node) -> float | None:
    """A number, true and false not being numbers."""
    if isinstance(node, Scalar) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _is_blank(node: Node) -> bool:
    return isinstance(node, Scalar) and (node.value is None or node.value == "")


def _number_help(name: str, node: Node) -> str | None:
    """How to write a number that stands in quotes."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None
    text = node.value.strip()
    try:
        float(text)
    except ValueError:
        return None
    digits = text if any(c.isdigit() for c in text) else "0"
    return f"write it without quotes: {name}: {digits}"


def head_of(block: Mapping, *, row: bool = False) -> Span:
    """The first key of a block, the first cell of a row; the block itself where it is empty."""
    if not block.entries:
        return block.span
    first = block.entries[0]
    return first.value.span if row else first.key.span
