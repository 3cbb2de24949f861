"""The open levels of indentation of a text, and what each of them holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


class Under(Enum):
    """What may stand, indented, under a statement."""

    NOTHING = auto()
    BLOCK = auto()
    ITEM = auto()
    """A deeper block, but no `- ` lines at the same indentation: those are further items."""
    ROWS = auto()
    SECTION = auto()
    ANYTHING = auto()


class Kind(Enum):
    """What a level is."""

    BLOCK = auto()
    ROWS = auto()
    DASHES = auto()
    """``- item`` lines at the indentation of their own key."""
    SECTION = auto()
    """The lines under a TOML-style section, which is an error; they are read only for their own mistakes."""
    SKIPPED = auto()
    """Lines too deep to be read."""


class Holds(Enum):
    """What the statements of a block are; the first readable one decides."""

    UNKNOWN = "statements"
    ENTRIES = "`key: value` lines"
    VALUES = "one value a line"
    ITEMS = "`- item` lines"


@dataclass(slots=True)
class Level:
    """One open level: its width, other widths that were taken for it after an error, and what it holds."""

    width: int
    kind: Kind
    holds: Holds = Holds.UNKNOWN
    since: tuple[int, int] = (0, 0)
    aliases: set[int] = field(default_factory=set)
    stray_dash: bool = False
    """Whether the last statement was an item that cannot stand here, which is said once."""

    def takes(self, width: int) -> bool:
        """Whether a line of this width stands on this level."""
        return width == self.width or width in self.aliases
