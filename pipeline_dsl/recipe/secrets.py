"""Secrets in a text: found, reported, and blotted out before anything else sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar, Sequence

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[opsur]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r")"
)
_SECRET_KEY = re.compile(
    r"(?:^|[_.-])(?:token|api_?key|access_?key|secret(?:_?key)?|auth|credentials?)$", re.IGNORECASE
)
_PASSWORD_KEY = re.compile(r"(?:^|[_.-])(?:password|passwd|passphrase)$", re.IGNORECASE)
_MODEL_TOKEN = re.compile(r"(?:pad|eos|bos|unk|sep|cls|mask|image)_token$", re.IGNORECASE)
_BASE64 = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=_-]{16,}")
_MARK = "*"


def token_places(text: str) -> list[tuple[int, int]]:
    """Return where things stand that are secrets by their form, in comments too."""
    return [match.span() for match in _TOKEN.finditer(text)]


def keyed_places(tree: Node) -> list[tuple[int, int]]:
    """Return where values stand that are secrets by the name of their key."""
    return [(e.value.span.start, e.value.span.end) for e in _entries(tree) if _is_secret(e)]


def blotted(source: Source, places: list[tuple[int, int]]) -> Source:
    """Return the same source with ``*`` for every character of the secrets; nothing else moves."""
    text = source.text
    for start, end in places:
        text = text[:start] + "".join(_blot(char) for char in text[start:end]) + text[end:]
    return Source.of(source.name, text)


def report(source: Source, tree: Node, places: list[tuple[int, int]], findings: Findings) -> None:
    """Report secrets of a blotted source, each at the key that it stands under where there is one."""
    entries = list(_entries(tree))
    for start, end in places:
        holder = next((e for e in entries if _holds(e, start)), None)
        findings.error(
            Code.SECRET,
            f"a secret is written out under `{holder.key.name}`" if holder else "a secret is written out",
            holder.key.span if holder else Span(source, start, end),
            reason="recipes are copied into run folders, shared and committed",
            help="list the variable in `environment: [NAME]` and write `${env:NAME}`; "
            "and revoke this one if it was ever shared",
        )


def _blot(char: str) -> str:
    return char if char in "\"'\r\n\t ," else _MARK


def _is_secret(entry: Entry) -> bool:
    name, value = entry.key.name, entry.value
    if not isinstance(value, Scalar) or not isinstance(value.value, str):
        return False
    if "${" in value.value or value.value.startswith(_MARK):
        return False
    if _PASSWORD_KEY.search(name):
        return bool(value.value)
    if _MODEL_TOKEN.search(name) or not _SECRET_KEY.search(name):
        return False
    return _BASE64.fullmatch(value.value) is not None


def _holds(entry: Entry, offset: int) -> bool:
    span = entry.value.span
    return isinstance(entry.value, Scalar) and span.start <= offset < span.end


def _entries(node: Node) -> Iterator[Entry]:
    """Every entry below a node, cells of tables included."""
    match node:
        case Mapping(entries=entries):
            for entry in entries:
                yield entry
                yield from _entries(entry.value)
        case Sequence(items=items):
            for item in items:
                yield from _entries(item)
        case Scalar():
            return
        case _:
            yield from _entries(node.as_sequence())
