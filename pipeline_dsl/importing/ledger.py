"""What became of every key of a config: carried, or not and why. Nothing of a config is left unsaid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_dsl.diagnostics import Diagnostic, Related, Span
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.hiding import MARK, is_secret_name
from pipeline_dsl.recipe.secrets import is_secret
from pipeline_dsl.recipe.suggest import nearest
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Sequence, plain

Path = tuple[str | int, ...]
UNKNOWN = "this import knows no counterpart in a recipe"
HIDDEN = "(value not shown)"
_LONGEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A key that is not carried: its path, its value as text, and why or what to do instead."""

    path: str
    value: str
    why: str
    meant: str | None = None
    """The key that it is probably a slip of: one that the tool knows and the config lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All keys of a config, each in one of three places."""

    carried: int
    left: tuple[Left, ...]
    empty: tuple[str, ...]
    """Paths of keys that stand there without a value."""

    @property
    def total(self) -> int:
        """How many keys the config has."""
        return self.carried + len(self.left) + len(self.empty)


class Ledger:
    """The fate of each key of one config. It grows while the config is read, and is closed by ``account``."""

    def __init__(self, root: Mapping) -> None:
        self.root = root
        self.findings: list[Diagnostic] = []
        self.lookouts: list[str] = []
        """What a reader of the recipe should look at, in whole sentences."""
        self._fates: dict[Path, str | None] = {}
        self._asked: set[Path] = set()

    def ask(self, path: Path) -> None:
        """Note a key that the tool knows, whether the config has it or not."""
        self._asked.add(path)

    def carry(self, path: Path) -> None:
        """Say that the recipe says what this key says."""
        self._fates[path] = None

    def leave(self, path: Path, why: str) -> None:
        """Say that this key, and all below it, is not in the recipe."""
        self._fates[path] = why

    def look_at(self, sentence: str) -> None:
        """Have a sentence stand at the head of the recipe, once."""
        if sentence not in self.lookouts:
            self.lookouts.append(sentence)

    def error(
        self,
        code: Code,
        message: str,
        span: Span | None,
        *,
        help: str | None = None,
        reason: str | None = None,
        related: tuple[Related, ...] = (),
    ) -> None:
        """Add something that stops the import."""
        self.findings.append(
            Diagnostic(code=code.value, message=message, span=span, help=help, reason=reason, related=related)
        )

    def account(self) -> Account:
        """Put every key of the config into its place."""
        carried, left, empty = 0, list[Left](), list[str]()
        found = list(leaves(self.root, ()))
        there = {path[:length] for path, _ in found for length in range(1, len(path) + 1)}
        for path, node in found:
            known, why = self._fate(path)
            if known and why is None:
                carried += 1
            elif isinstance(node, Scalar) and node.value is None and not known:
                empty.append(spelt(path))
            else:
                meant = None if known else self._meant(path, there)
                advice = f"{UNKNOWN}; did you mean `{meant}`?" if meant else UNKNOWN
                left.append(Left(path=spelt(path), value=shown(path, node), why=why or advice, meant=meant))
        return Account(carried=carried, left=tuple(left), empty=tuple(empty))

    def _meant(self, path: Path, there: set[Path]) -> str | None:
        """The nearest of the keys that the same block was asked for and that are not there."""
        return nearest(str(path[-1]), (str(p[-1]) for p in self._asked - there if p[:-1] == path[:-1]))

    def _fate(self, path: Path) -> tuple[bool, str | None]:
        """What was said of a key, or of the nearest one above it: ``(False, None)`` for nothing."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._fates:
                why = self._fates[path[:length]]
                if why is not None or length == len(path):
                    return True, why
        return False, None


def leaves(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """Yield what holds a value: single values, empty blocks, and lists of nothing but single values."""
    match node:
        case Mapping(entries=entries) if entries:
            for entry in entries:
                yield from leaves(entry.value, (*path, entry.key.name))
        case Sequence(items=items) if any(not isinstance(item, Scalar) for item in items):
            for number, item in enumerate(items):
                yield from leaves(item, (*path, number))
        case Mapping() | Sequence() | Scalar():
            yield path, node
        case _:
            yield from leaves(node.as_sequence(), path)


def spelt(path: Path) -> str:
    """Write a path as people do: ``datasets.0.path``; no sign in it ends a comment."""
    return ".".join(
        _inert(str(step)) if not is_secret("", step) and MARK not in str(step) else HIDDEN for step in path
    )


def shown(path: Path, node: Node) -> str:
    """Write a value on one line, cut where it is long; of a secret only that there is one."""
    names = [step for step in path if isinstance(step, str)] or [""]
    value = plain(node)
    words = [word for word in (value if isinstance(value, list) else [value]) if isinstance(word, str)]
    if any(is_secret_name(n) or is_secret(n, word) or MARK in word for n in names for word in words):
        return HIDDEN
    text = _inert(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _inert(text: str) -> str:
    """Escape what does not print; a lone surrogate has no other way into a file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
