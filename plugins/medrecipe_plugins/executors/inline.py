"""``inline``: a phase runs in the process that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_dsl.api import NoOptions, Provider, hookimpl


@dataclass(frozen=True, slots=True)
class Inline:
    """Runs a phase here and now."""

    options: NoOptions

    def execute(self, phase: str, work: Callable[[], Any]) -> Any:  # noqa: ARG002 - the executor's contract
        """Run ``work`` and return what it returns; what it raises passes through."""
        return work()


@hookimpl
def medrecipe_executors() -> Sequence[Provider]:
    """Offer the executor."""
    return [Provider(name="inline", summary="in this process", factory=Inline)]
