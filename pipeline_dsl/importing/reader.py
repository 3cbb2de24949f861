"""One block of a config, read by typed questions. A key that is asked for is carried, unless it is left."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.ledger import Ledger, Path, spelt
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, Sequence

_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_FLAGS = {"true": True, "false": False}


class Reader:
    """A block and the ledger that its answers are entered into. Null is the same as no key."""

    def __init__(self, node: Mapping, ledger: Ledger, path: Path = ()) -> None:
        self.node = node
        self.ledger = ledger
        self.path = path

    @property
    def span(self) -> Span:
        """Where the block stands."""
        return self.node.span

    def has(self, key: str) -> bool:
        """Whether a key has a value; asking this carries nothing."""
        return self._node(key) is not None

    def key_span(self, key: str) -> Span:
        """Where a key stands, the block if it is not there."""
        entry = self.node.entry(key)
        return entry.key.span if entry else self.node.span

    def value_span(self, key: str) -> Span:
        """Where the value of a key stands."""
        entry = self.node.entry(key)
        return entry.value.span if entry else self.node.span

    def text(self, key: str) -> str | None:
        """A text; a number or flag is taken as it is written."""
        node = self._scalar(key, "a text")
        if node is None:
            return None
        return node.value if isinstance(node.value, str) else node.span.text

    def flag(self, key: str) -> bool | None:
        """True or false."""
        node = self._scalar(key, "true or false")
        value = node.value if node else None
        if isinstance(value, str):
            value = _FLAGS.get(value.lower(), value)
        if value is None or isinstance(value, bool):
            return value
        self._wrong(key, "true or false")
        return None

    def number(self, key: str, least: float | None = None) -> float | None:
        """A finite number, at least ``least``."""
        node = self._scalar(key, "a number")
        value = node.value if node else None
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = float(value.replace("_", ""))
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(key, "a number")
            return None
        if abs(value) > 1e15:  # noqa: PLR2004 - no setting of a training is as large
            self._wrong(key, "a smaller number")
            return None
        if least is not None and value < least:
            self._wrong(key, f"{least:g} or more")
            return None
        return value

    def whole(self, key: str, least: int | None = None) -> int | None:
        """A whole number, at least ``least``; ``16.0`` is one."""
        value = self.number(key, least)
        if value is None or value == int(value):
            return None if value is None else int(value)
        self._wrong(key, "a whole number")
        return None

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, or one text with commas between them."""
        node = self._node(key)
        if isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node.items):
            self.ledger.carry((*self.path, key))
            scalars = [item for item in node.items if isinstance(item, Scalar)]
            return tuple(
                s.value if isinstance(s.value, str) else s.span.text for s in scalars if s.value is not None
            )
        text = self.text(key)
        return tuple(part.strip() for part in text.split(",") if part.strip()) if text else None

    def inner(self, key: str) -> Reader | None:
        """The block below a key; carries none of its keys."""
        node = self._node(key)
        if node is None or isinstance(node, Mapping):
            return Reader(node, self.ledger, (*self.path, key)) if node else None
        self._wrong(key, "a block of keys")
        return None

    def inners(self, key: str) -> tuple[Reader, ...]:
        """The blocks of a list of blocks; one block alone counts as a list of one."""
        node = self._node(key)
        if isinstance(node, Mapping):
            return (Reader(node, self.ledger, (*self.path, key)),)
        items = node.items if isinstance(node, Sequence) else ()
        blocks = [
            Reader(item, self.ledger, (*self.path, key, number))
            for number, item in enumerate(items)
            if isinstance(item, Mapping)
        ]
        if node is not None and (len(blocks) < len(items) or not items):
            self._wrong(key, "a list of blocks")
        return tuple(blocks)

    def is_block(self, key: str) -> bool:
        """Whether there is a block below a key."""
        return isinstance(self._node(key), Mapping)

    def is_list(self, key: str) -> bool:
        """Whether there is a list below a key."""
        return isinstance(self._node(key), Sequence)

    def names(self) -> tuple[str, ...]:
        """The keys that have a value, in the order of the text."""
        return tuple(name for name in self.node.names() if self.has(name))

    def leave(self, key: str, why: str) -> None:
        """Say why a key, and all below it, is not carried; nothing where it is not there."""
        if self.has(key):
            self.ledger.leave((*self.path, key), why)

    def leave_all(self, reasons: Map[str, str]) -> None:
        """Leave every key that is named, or whose beginning is named with a ``*`` at its end."""
        for key in self.names():
            for name, why in reasons.items():
                if key == name or (name.endswith("*") and key.startswith(name[:-1])):
                    self.leave(key, why)
                    break

    def refuse(self, code: Code, message: str, key: str, help: str) -> None:
        """Add something that stops the import, at a key."""
        self.ledger.error(code, message, self.key_span(key), help=help)

    def _node(self, key: str) -> Node | None:
        self.ledger.ask((*self.path, key))
        node = self.node.get(key)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return None
        return node if isinstance(node, Scalar | Mapping | Sequence) else node.as_sequence()

    def _scalar(self, key: str, wanted: str) -> Scalar | None:
        node = self._node(key)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self._wrong(key, wanted)
            return None
        self.ledger.carry((*self.path, key))
        return node

    def _wrong(self, key: str, wanted: str) -> None:
        message = f"`{spelt((*self.path, key))}` must be {wanted}"
        self.ledger.error(Code.WRONG_VALUE, message, self.value_span(key), help="mend it in the config")
