"""What imports leave behind is looked through once by the garbage collector, not at every full collection."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_MANY = 50
"""Modules that have to be new before objects are taken out of the collector's sight."""
_OLDEST = 2
"""The generation that full collections look through."""


@contextmanager
def imports_spared() -> Iterator[None]:
    """Set aside what survives a full collection that imports have brought about.

    torch, transformers and PEFT bring a million objects that stay for as long as the process does. To look
    through all of them again and again while the rest is imported takes a fourth of the imports' time.
    Collections in which no import had a part set nothing aside.
    """
    spare = _Spare()
    gc.callbacks.append(spare)
    try:
        yield
    finally:
        gc.callbacks.remove(spare)


class _Spare:
    def __init__(self) -> None:
        self._modules = len(sys.modules)

    def __call__(self, phase: str, info: Mapping[str, Any]) -> None:
        full = phase == "stop" and info["generation"] == _OLDEST
        if full and len(sys.modules) - self._modules >= _MANY:
            self._modules = len(sys.modules)
            gc.freeze()
