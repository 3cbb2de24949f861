"""Attention over packs, under a name of its own in transformers' ``AttentionInterface``.

Without a pack it is transformers' ``sdpa``, so that a model may be evaluated while it is set to this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from medrecipe_plugins.models._packs import Calls
from medrecipe_plugins.models._short_attention import LONGEST, short_attention

NAME = "medrecipe_packed"


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
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Return the output (1, tokens, heads, width) of queries, keys and values, (1, heads, tokens, width).

    A token sees those of its own sample that stand before it, and what its sample shares with others.
    """
    if pack is None:
        more["sliding_window"] = sliding_window
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return found
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    outputs = []
    for call in pack.calls:
        taken = (_taken(q, call.queries), _taken(k, call.keys), _taken(v, call.keys))
        if q.device.type == "cpu" and call.keys.shape[1] <= LONGEST and not dropout:
            output = short_attention(*taken, call.bias(sliding_window), scale)
        else:
            output = _attention_of_torch(*taken, call.mask(sliding_window), dropout, scale)
        outputs.append(output.transpose(1, 2).flatten(0, 1))
    whole = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    return whole.index_select(0, pack.order)[None], None


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
