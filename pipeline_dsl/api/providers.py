"""A provider: one named thing that a plugin offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline_dsl.api.options import NoOptions

DATA_WORDS = ("columns", "filter", "limit", "split", "group_by", "streaming", "shuffle_buffer", "pii")
"""Words of the language in every ``data`` block: no source can have an option of that name."""


class Kind(StrEnum):
    """What a provider provides. The value is what ``medrecipe plugins list`` shows."""

    MODEL = "model"
    ADAPTER = "adapter"
    SOURCE = "source"
    TEMPLATE = "template"
    TRAINER = "trainer"
    METRIC = "metric"
    ACTION = "action"
    TRACKER = "tracker"
    EXECUTOR = "executor"
    EXPORTER = "exporter"

    @property
    def hook(self) -> str:
        """Name of the hook that offers this kind."""
        return f"medrecipe_{self.value}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One named thing: what it is called, what it is for, its options and how it is made."""

    name: str
    summary: str
    """One line for people."""
    factory: Callable[[Any], Any]
    """From options to the object of its kind (see ``contracts``). Does no work and imports nothing heavy."""
    options: type = NoOptions
    """A frozen dataclass made with ``option``."""
    version: str = "1"
    """Raised when the same options give another result: part of every fingerprint."""
