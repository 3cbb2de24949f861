"""Attention over packs, under a name of its own in transformers' ``AttentionInterface``.

A pack says who attends to whom. How that is computed is an ``Attention``: ``by_calls``, or another that
stands beside the pack where a model is given one. Without a pack it is transformers' ``sdpa``, so that a
model may be evaluated while it is set to this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from medrecipe_plugins.models._packs import Calls
from medrecipe_plugins.models._short_attention import LONGEST, short_attention

NAME = "medrecipe_packed"
_UNKNOWN = ("s_aux", "sinks", "softcap", "position_bias", "indices", "block_indices")
"""By what models have attention compute something that packs do not know of."""


@contextmanager
def packed_attention(module: Any) -> Iterator[None]:
    """Have a model attend by packs where it is given one, and as it did before once this is left."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before = module.config.get_text_config()._attn_implementation  # noqa: SLF001 - it has no other name
    module.set_attn_implementation(NAME)
    try:
        yield
    finally:
        module.set_attn_implementation(before)


class Attention(Protocol):
    """A way to compute all attention of a pack."""

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
        """Return the output (1, tokens, heads, width).

        Args:
            query: (1, heads, tokens, width).
            key: (1, key heads, tokens, width); each serves as many heads as there are more of them.
            value: the same.
            pack: who attends to whom.
            scale: what scores are multiplied by.
            window: how many keys a query sees at most, its own included; None for all.
            dropout: share of what a query takes of values that is left out.
        """


def by_calls(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pack: Calls,
    *,
    scale: float,
    window: int | None,
    dropout: float,
) -> torch.Tensor:
    """See ``Attention``: sequences of like length are one call of torch's, shared keys stand in each."""
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    outputs = []
    for call in pack.calls:
        taken = (_taken(q, call.queries), _taken(k, call.keys), _taken(v, call.keys))
        if q.device.type == "cpu" and call.keys.shape[1] <= LONGEST and not dropout:
            output = short_attention(*taken, call.bias(window), scale)
        else:
            output = _attention_of_torch(*taken, call.mask(window), dropout, scale)
        outputs.append(output.transpose(1, 2).flatten(0, 1))
    whole = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    return whole.index_select(0, pack.order)[None]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    pack: Calls | None = None,
    attention: Attention = by_calls,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Return the output (1, tokens, heads, width) of queries, keys and values, (1, heads, tokens, width).

    A token sees those of its own sample that stand before it, and what its sample shares with others.

    Raises:
        NotImplementedError: the model's attention is more than that.
    """
    if pack is None:
        more["sliding_window"] = sliding_window
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return found
    beyond = next((name for name in _UNKNOWN if more.get(name) is not None), None)
    if beyond is not None:
        raise NotImplementedError(f"its attention has {beyond}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    output = attention(query, key, value, pack, scale=scale, window=sliding_window, dropout=dropout)
    return output, None


def _attention_of_torch(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float,
    scale: float,
) -> torch.Tensor:
    output: torch.Tensor = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=mask is None,
        dropout_p=dropout,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output


def _taken(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """From (tokens, heads, width) to (sequences, heads, places, width)."""
    return x.index_select(0, places.flatten()).unflatten(0, places.shape).transpose(1, 2)
