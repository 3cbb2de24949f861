"""Parts of a model that others stand for, for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def swapped(
    module: torch.nn.Module, other: Callable[[torch.nn.Module], torch.nn.Module | None]
) -> Iterator[None]:
    """Put what ``other`` makes for a part in its place, None for most parts, and take all out again."""
    put: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    for parent in list(module.modules()):
        for name, part in parent.named_children():
            found = other(part)
            if found is not None:
                setattr(parent, name, found)
                put.append((parent, name, part))
    try:
        yield
    finally:
        for parent, name, part in put:
            setattr(parent, name, part)
