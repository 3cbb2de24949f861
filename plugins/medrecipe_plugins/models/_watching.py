"""What a model computes on packs, on which numbers and how often: what other ways to do so are tried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from medrecipe_plugins.models._glus import FastGlu, fast_glus
from medrecipe_plugins.models._norms import FastNorm, fast_norms
from medrecipe_plugins.models._observing import evaluating
from medrecipe_plugins.models._packed import PackedForward
from medrecipe_plugins.models._packed_attention import by_calls
from medrecipe_plugins.models._packs import Calls, Pack

Tensors = tuple[torch.Tensor, ...]


@dataclass(slots=True, eq=False)
class Use:
    """Something that is computed on numbers of the same shapes, once or several times."""

    what: Any
    """The first that was: a FastNorm, a FastGlu, or of an attention its pack and its named arguments."""
    inputs: Tensors
    count: int = 1


@dataclass(frozen=True, slots=True)
class Uses:
    """What forwards of a model have computed, by kind and shapes."""

    attentions: dict[Any, Use] = field(default_factory=dict)
    norms: dict[Any, Use] = field(default_factory=dict)
    glus: dict[Any, Use] = field(default_factory=dict)


def watch(module: Any, device: str, packs: Sequence[Pack]) -> Uses:
    """Send packs through a model as it is, without gradients, and return what it has computed."""
    uses = Uses()
    forward = PackedForward(module, device, partial(_attend, uses))
    with (
        fast_glus(forward.decoder, torch.mul),  # without gradients no product is asked for
        fast_norms(forward.decoder),
        forward.working(),
        _heard(forward.decoder, uses),
        evaluating(forward.base, torch.no_grad),
    ):
        for pack in packs:
            forward.hidden(pack)
    return uses


def _attend(
    uses: Uses, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, pack: Calls, **named: Any
) -> torch.Tensor:
    _note(uses.attentions, (id(pack), named["window"]), (pack, named), (query, key, value))
    return by_calls(query, key, value, pack, **named)


@contextmanager
def _heard(decoder: torch.nn.Module, uses: Uses) -> Iterator[None]:
    """Note what norms and gated layers are given inside."""

    def norm(part: FastNorm, given: Tensors) -> None:
        _note(uses.norms, None, part, given)

    def glu(part: FastGlu, given: Tensors) -> None:
        _note(uses.glus, None, part, part.parts(*given))

    handles = []
    for part in decoder.modules():
        if isinstance(part, FastNorm | FastGlu):
            hook = norm if isinstance(part, FastNorm) else glu
            handles.append(part.register_forward_pre_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _note(uses: dict[Any, Use], kind: Any, what: Any, inputs: Tensors) -> None:
    like = (kind, *((x.shape, x.dtype) for x in inputs))
    if like in uses:
        uses[like].count += 1
    else:
        uses[like] = Use(what, inputs)
