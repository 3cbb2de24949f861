"""What an importer of one tool gives, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline_dsl.importing.draft import Draft
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader

Import = Callable[[Reader, Places, str], Draft]
"""Makes a draft of a config: its root, where things lie, and the name of the recipe. What is wrong goes
into the ledger of the root; the draft of a config with findings is not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool whose configs are read."""

    name: str
    title: str
    """As its makers write it."""
    tells: tuple[str, ...]
    """Keys of the root that it alone has."""
    make: Import
