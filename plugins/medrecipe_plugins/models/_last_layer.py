"""The last layer computes what labels need: keys and values of all tokens, the rest at labels alone.

Nothing reads its outputs at other places. Its parts that look at one token at a time are given the tokens of
labels and their outputs put back, with zeros elsewhere, by hooks of torch: the loss and all gradients stay
what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

_PARTS = ("self_attn.q_proj", "self_attn.o_proj", "self_attn.dense", "mlp")
_WORTH_IT = 0.75
"""Share of tokens up to which leaving out the rest costs less than it saves."""


@contextmanager
def last_layer_at_labels(decoder: Any) -> Iterator[None]:
    """Have the last layer of a decoder leave out what no label needs, wherever it is given a pack."""
    layers = getattr(decoder, "layers", None)
    if not layers or not hasattr(layers[-1], "self_attn"):
        yield
        return
    worker = _Places()
    handles = worker.put_on(layers[-1])
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Places:
    """Knows which places are needed while the layer works.

    It reads them off the arguments of the layer's attention when that begins: inside of what checkpointing
    computes again, and before any part that leaves something out. A second one on the same layer (that of an
    evaluation inside a training) finds its work done, which shows in how many tokens there are.
    """

    def __init__(self) -> None:
        self._needed: torch.Tensor | None = None
        self._tokens = 0

    def put_on(self, layer: Any) -> list[Any]:
        handles = [layer.self_attn.register_forward_pre_hook(self._begin, with_kwargs=True)]
        for part in _parts(layer):
            handles += [
                part.register_forward_pre_hook(self._take),
                part.register_forward_hook(self._put_back),
            ]
        return handles

    def _begin(self, _: torch.nn.Module, __: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        pack = named.get("pack")
        self._tokens = 0 if pack is None else len(pack.order)
        few = pack is not None and len(pack.needed) <= _WORTH_IT * self._tokens
        self._needed = pack.needed if pack is not None and few else None

    def _take(self, _: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._needed is None or arguments[0].shape[1] != self._tokens:
            return None
        return arguments[0].index_select(1, self._needed), *arguments[1:]

    def _put_back(self, _: torch.nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor | None:
        if self._needed is None or output.shape[1] == self._tokens:
            return None
        whole = output.new_zeros(1, self._tokens, output.shape[-1])
        return whole.index_copy(1, self._needed, output)


def _parts(layer: torch.nn.Module) -> list[torch.nn.Module]:
    """Return the parts that are there, but for mixtures of experts, which say more than their output."""
    modules = dict(layer.named_modules())
    found = [modules[name] for name in _PARTS if name in modules]
    return [part for part in found if not any("expert" in name for name, _ in part.named_modules())]
