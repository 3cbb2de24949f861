"""What is kept about a stack while it is on a model."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from medrecipe_plugins.models._quantisation import scales

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
    """Return a hash of all parameters that are not trained: the same before and after training.

    Packed weights count with the scales that give them their meaning, whole whatever their size: a sum says
    little about bytes of which each holds two weights.
    """
    frozen = [(name, p) for name, p in module.named_parameters() if not p.requires_grad]
    whole = sum(p.numel() for _, p in frozen) <= _HASH_UP_TO
    digest = hashlib.sha256()
    for name, tensor in itertools.chain(frozen, scales(module)):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        exact = whole or not tensor.is_floating_point()
        digest.update(_content(tensor.detach()) if exact else _summary(tensor.detach()))
    return digest.hexdigest()


def _content(tensor: torch.Tensor) -> memoryview:
    return memoryview(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())


def _summary(tensor: torch.Tensor) -> bytes:
    """Two figures of a large tensor that a training step cannot leave as they are."""
    values = tensor.float()
    return f"{values.sum().item()!r} {torch.linalg.vector_norm(values).item()!r}".encode()
