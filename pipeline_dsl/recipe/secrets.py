"""Secrets in a text: found, reported, and blotted out before anything else sees them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.syntax import nodes
from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[opsur]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r")"
)
_SECRET_KEY = re.compile(
    r"(?:^|[_.-])(?:token|(?:api|access|private)[_-]?key|secret(?:[_-]?key)?|auth(?:orization)?|credentials?)$",
    re.IGNORECASE,
)
_PASSWORD_KEY = re.compile(r"(?:^|[_.-])(?:password|passwd|passphrase)$", re.IGNORECASE)
_MODEL_TOKEN = re.compile(r"(?:pad|eos|bos|unk|sep|cls|mask|image)_token$", re.IGNORECASE)
_BASE64 = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=_-]{16,}")
_PAIR = re.compile(r"""([\w./-]+)"?[ \t]*[:=][ \t]*([^\s,\[\]{}][^,\[\]{}\r\n]*)""")
_MARK = "*"

Place = tuple[int, int]


def token_places(text: str) -> list[Place]:
    """Return where things stand that are secrets by their form, in comments too."""
    return [match.span() for match in _TOKEN.finditer(text)]


def places(source: Source, tree: Node, broken: Sequence[Span]) -> list[Place]:
    """Return where the secrets of a text stand, in its order.

    Args:
        source: the text.
        tree: what could be read of it: its values are secrets by the name of their key, or once their escapes
            are read.
        broken: the errors in it: on their lines, pairs of key and value are looked for in the text itself.
    """
    found = token_places(source.text)
    for entry, scalar in _scalars(tree, None):
        if is_secret(entry.key.name if entry else "", scalar.value):
            found.append((scalar.span.start, scalar.span.end))
    for line in sorted({span.line for span in broken}):
        start = source.line_starts[line - 1]
        for pair in _PAIR.finditer(source.line(line)):
            if any(is_secret(pair[1], word) for word in (pair[2], *pair[2].replace('"', " ").split())):
                found.append((start + pair.start(2), start + pair.end(2)))
    return _joined(found)


def is_secret(key: str, value: object) -> bool:
    """Whether a value is a secret, by its form or by the name of its key; ``***`` and ``${...}`` are none."""
    if value is None or isinstance(value, bool):
        return False
    text = str(value).strip()
    if _TOKEN.search(text):
        return True
    if not text.strip(_MARK) or "${" in text:
        return False
    if _PASSWORD_KEY.search(key):
        return True
    if _MODEL_TOKEN.search(key) or not _SECRET_KEY.search(key):
        return False
    return _BASE64.fullmatch(text) is not None


def blotted(source: Source, found: Sequence[Place]) -> Source:
    """Return the same source with ``*`` for every character of the secrets; nothing else moves."""
    parts, last = [], 0
    for start, end in found:
        parts += [source.text[last:start], "".join(_blot(char) for char in source.text[start:end])]
        last = end
    return Source.of(source.name, "".join([*parts, source.text[last:]]))


def report(source: Source, tree: Node, found: Sequence[Place], findings: Findings) -> None:
    """Report secrets of a blotted source, each at the key that it stands under where there is one."""
    values = [(scalar.span, entry) for entry, scalar in _scalars(tree, None)]
    reach = list(accumulate((span.start for span, _ in values), max))
    for start, end in found:
        span, holder = values[bisect_right(reach, start) - 1] if reach and reach[0] <= start else (None, None)
        inside = holder is not None and span is not None and start < span.end
        key = holder.key if inside and holder else None
        findings.error(
            Code.SECRET,
            f"a secret is written out under `{key.name}`" if key else "a secret is written out",
            key.span if key else Span(source, start, end),
            reason="recipes are copied into run folders, shared and committed",
            help="list the variable in `environment: [NAME]` and write `${env:NAME}`; "
            "and revoke this one if it was ever shared",
        )


def _joined(found: list[Place]) -> list[Place]:
    """The same places in order, those that overlap as one."""
    out: list[Place] = []
    for start, end in sorted(found):
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _blot(char: str) -> str:
    return char if char in "\"'\r\n\t ," else _MARK


def _scalars(node: Node, holder: Entry | None) -> Iterator[tuple[Entry | None, Scalar]]:
    """Every single value below a node, in the order of the text, with the entry that it belongs to."""
    match node:
        case Scalar():
            yield holder, node
        case Mapping(entries=entries):
            for entry in entries:
                yield from _scalars(entry.value, entry)
        case nodes.Sequence(items=items):
            for item in items:
                yield from _scalars(item, holder)
        case _:
            yield from _scalars(node.as_sequence(), holder)
