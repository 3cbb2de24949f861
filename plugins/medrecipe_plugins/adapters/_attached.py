"""What is kept about a stack while it is on a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

_HASH_UP_TO = 10**9
"""Parameters up to which every byte is hashed; above it, sums and norms of each tensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A stack on a model."""

    names: Mapping[str, str]
    """From a recipe's names to PEFT's, bottom first."""
    first_weights: Mapping[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)
    """The weights that new adapters started from, by recipe name and PEFT key."""
    frozen: str
    """``frozen_digest`` right after attaching."""


def frozen_digest(module: Any) -> str:
    """Return a hash of all parameters that are not trained: the same before and after training."""
    frozen = [(name, p) for name, p in module.named_parameters() if not p.requires_grad]
    whole = sum(p.numel() for _, p in frozen) <= _HASH_UP_TO
    digest = hashlib.sha256()
    for name, parameter in frozen:
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}\n".encode())
        digest.update(_content(parameter.detach()) if whole else _summary(parameter.detach()))
    return digest.hexdigest()


def _content(tensor: torch.Tensor) -> memoryview:
    return memoryview(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())


def _summary(tensor: torch.Tensor) -> bytes:
    """Two figures of a large tensor that a training step cannot leave as they are."""
    values = tensor.float()
    return f"{values.sum().item()!r} {torch.linalg.vector_norm(values).item()!r}".encode()
