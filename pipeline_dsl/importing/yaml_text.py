"""YAML as the tree that recipes are read as: every key and value with its place, nothing lost in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from pipeline_dsl.diagnostics import Diagnostic, Related, Source, Span
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.ledger import spelt
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence, Style
from pipeline_dsl.syntax.words import LARGEST, SMALLEST

MOST_NODES = 20_000
"""Values that a config may have, aliases counted as often as they stand."""
DEEPEST = 32
_CORE = "tag:yaml.org,2002:"
_PLAIN_DATA = ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
_EXPONENT = re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d{1,3}")
"""``2e-4``, which PyYAML takes for a text, and all tools for the number that it is."""


class _FaultError(Exception):
    def __init__(self, found: Diagnostic) -> None:
        super().__init__(found.message)
        self.found = found


def parse(source: Source) -> tuple[Mapping | None, tuple[Diagnostic, ...]]:
    """Read one YAML document that is a block of keys; no mapping where it cannot be read as a whole."""
    try:
        document = yaml.compose(source.text, Loader=yaml.SafeLoader)
        tree = _Tree(source)
        node = None if document is None else tree.node(document, 0)
    except yaml.MarkedYAMLError as error:
        return None, (_marked(source, error),)
    except (yaml.YAMLError, RecursionError) as error:
        return None, (_unreadable(source, " ".join(str(error).split())[:200]),)
    except _FaultError as fault:
        return None, (fault.found,)
    if not isinstance(node, Mapping):
        message = "the text is no block of keys, so it is no training config"
        return None, (Diagnostic(code=Code.NO_CONFIG.value, message=message, span=Span(source, 0, 0)),)
    return (None if tree.findings else node), tuple(tree.findings)


def _marked(source: Source, error: yaml.MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    place = min(mark.index, len(source.text)) if mark else 0
    words = " ".join(part for part in (error.context, error.problem) if part)
    help_ = "a list or value may lack its end; text with `: ` or a leading `*`, `&`, `%`, `@` needs quotes"
    span = Span(source, place, min(place + 1, len(source.text)))
    return Diagnostic(
        code=Code.YAML.value, message=f"this is no YAML: {words or 'unknown'}", span=span, help=help_
    )


def _unreadable(source: Source, words: str) -> Diagnostic:
    return Diagnostic(
        code=Code.YAML.value,
        message=f"this is no YAML: {words or 'it is nested too deeply'}",
        span=Span(source, 0, 0),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    key: yaml.ScalarNode
    value: yaml.Node


class _Tree:
    """State while one document is read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Diagnostic] = []
        self._made = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        """Read one node; what it holds in its turn is at ``depth`` + 1."""
        self._made += 1
        span = self._span(node)
        if self._made > MOST_NODES:
            raise self._fault(Code.NO_CONFIG, f"more than {MOST_NODES} values, aliases counted", span)
        if depth > DEEPEST:
            raise self._fault(Code.NO_CONFIG, f"nested more than {DEEPEST} deep", span)
        self._check_tag(node, span)
        if isinstance(node, yaml.MappingNode):
            return Mapping(tuple(self._entries(node, depth)), span)
        if isinstance(node, yaml.SequenceNode):
            return Sequence(tuple(self.node(item, depth + 1) for item in node.value), span)
        if not isinstance(node, yaml.ScalarNode):
            raise self._fault(Code.YAML, "a value of an unknown kind", span)
        return self._scalar(node, span)

    def _entries(self, node: yaml.MappingNode, depth: int) -> list[Entry]:
        """The entries of a block; those that ``<<`` brings in come last and never replace its own."""
        entries: dict[str, Entry] = {}
        merged: list[yaml.Node] = []
        for pair in (_Pair(*both) for both in node.value):
            if not isinstance(pair.key, yaml.ScalarNode):
                raise self._fault(Code.NO_CONFIG, "a key is a single word", self._span(pair.key))
            if pair.key.tag == f"{_CORE}merge":
                merged += pair.value.value if isinstance(pair.value, yaml.SequenceNode) else [pair.value]
                continue
            self._check_tag(pair.key, self._span(pair.key))
            key = Key(normal(pair.key.value), self._span(pair.key))
            self._add(entries, Entry(key, self.node(pair.value, depth + 1)))
        for other in merged:
            if not isinstance(other, yaml.MappingNode):
                raise self._fault(Code.NO_CONFIG, "`<<` takes blocks only", self._span(other))
            if depth > DEEPEST:
                raise self._fault(Code.NO_CONFIG, f"nested more than {DEEPEST} deep", self._span(other))
            for entry in self._entries(other, depth + 1):
                entries.setdefault(entry.key.name, entry)
        return list(entries.values())

    def _add(self, entries: dict[str, Entry], entry: Entry) -> None:
        known = entries.setdefault(entry.key.name, entry)
        if known is not entry:
            self.findings.append(
                Diagnostic(
                    code=Code.DUPLICATE.value,
                    message=f"`{spelt((entry.key.name,))}` stands twice in one block",
                    span=entry.key.span,
                    reason="YAML readers take the last one and say nothing",
                    help="remove one of them",
                    related=(Related(message="first here", span=known.key.span),),
                )
            )

    def _check_tag(self, node: yaml.Node, span: Span) -> None:
        tag = node.tag.removeprefix(_CORE)
        if tag == node.tag or tag not in _PLAIN_DATA:
            shown = tag if tag == node.tag else f"!!{tag}"
            raise self._fault(
                Code.TAG, f"the tag `{spelt((shown[:60],))}` asks for more than plain data", span
            )

    def _scalar(self, node: yaml.ScalarNode, span: Span) -> Scalar:
        text, kind = str(node.value), node.tag.removeprefix(_CORE)
        if kind == "null":
            return Scalar(None, Style.KEYWORD, span)
        if kind == "str" and node.style is None and _EXPONENT.fullmatch(text):
            kind = "float"
        if kind in {"bool", "int", "float"}:
            return self._typed(node, kind, span)
        return Scalar(text, Style.QUOTED, span)

    def _typed(self, node: yaml.ScalarNode, kind: str, span: Span) -> Scalar:
        maker = yaml.constructor.SafeConstructor()
        make = {
            "bool": maker.construct_yaml_bool,
            "int": maker.construct_yaml_int,
            "float": maker.construct_yaml_float,
        }[kind]
        try:
            value = make(node)
        except (ValueError, KeyError, OverflowError, IndexError) as error:
            message = f"`{spelt((str(node.value)[:40],))}` is no {kind}"
            raise self._fault(Code.YAML, message, span) from error
        if isinstance(value, bool):
            return Scalar(value, Style.KEYWORD, span)
        if not SMALLEST <= value <= LARGEST:  # infinities and NaN too
            return Scalar(str(node.value), Style.BARE, span)
        return Scalar(value, Style.NUMBER, span)

    def _span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark.index, node.end_mark.index
        text = self.source.text[start:end].rstrip()
        first = text.split("\n", 1)[0]
        return Span(self.source, start, start + len(text if isinstance(node, yaml.ScalarNode) else first))

    def _fault(self, code: Code, message: str, span: Span) -> _FaultError:
        return _FaultError(Diagnostic(code=code.value, message=message, span=span))
