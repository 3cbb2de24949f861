"""Attention over a whole pack in one call of torch's flex attention: the second ``Attention``.

One kernel reads a pack where it lies: shared tokens are seen in place instead of being copied to each sample
that goes on from them, nothing is filled up, and blocks of tokens that do not see each other are left out.
It is made by ``torch.compile``, for GPUs alone: on a CPU there is no way back through it. That is done once
for all packs of a model: lengths are symbols to the compiler, windows are numbers in tensors, and packs that
are too short for the same kernel go ``by_calls``. ``fullgraph`` makes an error of what could not be compiled,
where torch would go on with a computation that holds all scores at once.

Torch's other way, ``torch.nn.attention.varlen``, is not used. It computes in 16 bits alone, is not in all
versions of torch that are supported, takes a copy of what is shared for each sample, and has no form that
runs without a GPU. Here the mask is all that packs add, and that can be held to the calls on any machine.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from medrecipe_plugins.models._packed_attention import by_calls
from medrecipe_plugins.models._packs import Calls
from medrecipe_plugins.models._sight import BLOCK, Sight, sight_of

SHORTEST = 2 * BLOCK
"""Tokens of a pack from which it is computed so: for less than a block of queries, and for a single block of
keys, the compiler makes kernels of their own."""


class FlexAttention:
    """See ``Attention``; one of these is compiled once.

    Args:
        compute: flex attention, compiled unless it is given.
    """

    def __init__(self, compute: Any = None) -> None:
        self._compute = compute or torch.compile(flex_attention, dynamic=True, fullgraph=True)

    def __call__(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        pack: Calls,
        *,
        scale: float,
        window: int | None,
        dropout: float,
    ) -> torch.Tensor:
        """See ``Attention``; ``by_calls`` for short packs and with dropout, which flex attention lacks."""
        if dropout or query.shape[2] < SHORTEST:
            return by_calls(query, key, value, pack, scale=scale, window=window, dropout=dropout)
        output: torch.Tensor = self._compute(
            *_alike(query, key, value),
            block_mask=_mask(pack, window, query.device),
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return output.transpose(1, 2)


def _alike(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Have all ask for gradients where one does.

    To the compiler it is another computation where one does not, as in a first layer with an adapter on its
    queries alone. So what has been tried before a training is what all its layers have.
    """
    if not torch.is_grad_enabled() or not any(x.requires_grad for x in inputs):
        return inputs
    return tuple(x if x.requires_grad else x.detach().requires_grad_() for x in inputs)


def _mask(pack: Calls, window: int | None, device: torch.device) -> BlockMask:
    """Make the mask of a pack for a window once, for all layers that have it."""
    if window not in pack.masks:
        pack.masks[window] = block_mask(sight_of(pack.stretches, window, device))
    return pack.masks[window]


def block_mask(sight: Sight) -> BlockMask:
    """Return a sight as flex attention takes it, without ever holding it token by token."""
    own, under, positions, first = (
        numbers.to(torch.int32) for numbers in (sight.own, sight.under, sight.positions, sight.first)
    )

    def seen(_: torch.Tensor, __: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        whose = own[key]
        mine = (whose == own[query]) | (whose == under[query])
        return mine & (key <= query) & (positions[key] >= first[query])

    some, whole = sight.blocks()
    tokens = len(own)
    return BlockMask.from_kv_blocks(
        *_listed(some), *_listed(whole), BLOCK_SIZE=BLOCK, mask_mod=seen, seq_lengths=(tokens, tokens)
    )


def _listed(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how many blocks a row has, (1, 1, rows), and which, at its front, (1, 1, rows, blocks)."""
    count = blocks.sum(-1, dtype=torch.int32)
    places = blocks.to(torch.int8).argsort(dim=-1, descending=True, stable=True).to(torch.int32)
    return count[None, None], places[None, None]
