"""Attention over short sequences on a CPU, where torch's own spends most of its time beside the products.

Queries of all heads that share keys are one matrix, so that keys and values are never repeated for them.
Scores are in 32 bits; the backward pass makes them again from queries and keys, as torch's own does, and only
those of a few sequences are there at once.
"""

from __future__ import annotations

from typing import Any

import torch

LONGEST = 384
"""Keys up to which it is faster than torch's own."""
_SCORES = 1 << 18
"""Scores that are there at once: 1 MiB in float32."""


def short_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return the output (sequences, heads, queries, width).

    Args:
        query: (sequences, heads, queries, width).
        key: (sequences, key heads, keys, width); each serves as many heads as there are more of them.
        value: the same.
        bias: (queries, keys) in float32: 0 where a query sees a key, -inf where not.
        scale: what scores are multiplied by.
    """
    grouped = query.unflatten(1, (key.shape[1], -1)).flatten(2, 3).flatten(0, 1)
    output: torch.Tensor = _Attention.apply(grouped, key.flatten(0, 1), value.flatten(0, 1), bias, scale)
    return output.view(query.shape)


class _Attention(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed
    """softmax(scale · q k' + bias) v, a few matrices at a time."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """Return (matrices, rows, width) of queries (matrices, rows, width): heads one after another."""
        output = torch.empty_like(query)
        for part in _parts(query, key):
            shares = _shares(query[part], key[part], bias, scale)
            torch.bmm(shares.to(value.dtype), value[part], out=output[part])
        ctx.save_for_backward(query, key, value, bias)
        ctx.scale = scale
        return output

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of queries, keys and values."""
        query, key, value, bias = ctx.saved_tensors
        of_query, of_key, of_value = (torch.empty_like(x) for x in (query, key, value))
        for part in _parts(query, key):
            shares = _shares(query[part], key[part], bias, ctx.scale)
            torch.bmm(shares.to(slope.dtype).transpose(1, 2), slope[part], out=of_value[part])
            of_shares = torch.bmm(slope[part].float(), value[part].float().transpose(1, 2))
            weighted = of_shares.mul_(shares)
            of_scores = weighted.sub_(shares.mul_(weighted.sum(-1, keepdim=True)))
            rounded = of_scores.mul_(ctx.scale).to(query.dtype)
            torch.bmm(rounded, key[part], out=of_query[part])
            torch.bmm(rounded.transpose(1, 2), query[part], out=of_key[part])
        return of_query, of_key, of_value, None, None


def _parts(query: torch.Tensor, key: torch.Tensor) -> list[slice]:
    count = max(1, _SCORES // (query.shape[1] * key.shape[1]))
    return [slice(at, at + count) for at in range(0, len(query), count)]


def _shares(query: torch.Tensor, key: torch.Tensor, bias: torch.Tensor, scale: float) -> torch.Tensor:
    """What each query takes of each value, in 32 bits: (matrices, rows, keys)."""
    scores = torch.bmm(query.float(), key.float().transpose(1, 2)).mul_(scale)
    scores.unflatten(1, (-1, len(bias))).add_(bias)
    return scores.softmax(-1)
