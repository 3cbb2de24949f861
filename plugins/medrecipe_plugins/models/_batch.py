"""Texts that are written together: one row each in one key-value cache, which rows join and leave."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache

from medrecipe_plugins.models._batching import pad

if TYPE_CHECKING:
    from medrecipe_plugins.models._language_model import TorchCausalLM


class Batch:
    """Rows of one cache, all of which end at its last place; shorter ones begin behind masked places.

    The cache keeps every place of every layer, those outside a sliding window too: which of them a layer sees
    is the mask's business. So rows of any lengths can be put side by side.

    Args:
        model: whose forward reads the tokens.
        prompts: token ids of each row.
        stacks: name of each row's stack.
    """

    def __init__(self, model: TorchCausalLM, prompts: Sequence[Sequence[int]], stacks: Sequence[str]) -> None:
        self._model = model
        self._stacks = list(stacks)
        ids, self._mask = pad(prompts, model.marks.pad, "left", model.device)
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        self._cache = DynamicCache()
        self._cache_word = _cache_word(model.module)
        self._last = positions[:, -1:]
        self.logits = self._forward(ids, positions)
        """Of the token that follows each row, (rows, vocabulary), in float32."""

    def __len__(self) -> int:
        return len(self._stacks)

    def read(self, tokens: Sequence[int]) -> None:
        """Append a token to each row and compute the logits of the next."""
        ids = torch.tensor(tokens, device=self._model.device)[:, None]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        self._last = self._last + 1
        self.logits = self._forward(ids, self._last)

    def join(self, other: Batch) -> None:
        """Take the rows of another batch in, behind those that are here."""
        places = max(self._places, other._places)
        self._widen(places)
        other._widen(places)
        for own, new in zip(self._cache.layers, other._cache.layers, strict=True):
            own.keys = torch.cat([own.keys, new.keys])
            own.values = torch.cat([own.values, new.values])
        self._mask = torch.cat([self._mask, other._mask])
        self._last = torch.cat([self._last, other._last])
        self.logits = torch.cat([self.logits, other.logits])
        self._stacks += other._stacks

    def keep(self, rows: Sequence[int]) -> None:
        """Let all rows but these go, and the places that no row uses any more."""
        if list(rows) == list(range(len(self))):
            return
        chosen = torch.tensor(rows, device=self._model.device, dtype=torch.long)
        mask = self._mask[chosen]
        first = int(mask.any(0).int().argmax()) if len(rows) else 0
        for layer in self._cache.layers:
            layer.keys = layer.keys[chosen][:, :, first:]
            layer.values = layer.values[chosen][:, :, first:]
        self._mask, self._last, self.logits = mask[:, first:], self._last[chosen], self.logits[chosen]
        self._stacks = [self._stacks[i] for i in rows]

    @property
    def _places(self) -> int:
        return int(self._mask.shape[1])

    def _widen(self, places: int) -> None:
        """Put masked places before all rows."""
        gap = places - self._places
        if gap:
            for layer in self._cache.layers:
                layer.keys = torch.nn.functional.pad(layer.keys, (0, 0, gap, 0))
                layer.values = torch.nn.functional.pad(layer.values, (0, 0, gap, 0))
            self._mask = torch.nn.functional.pad(self._mask, (gap, 0))

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        self._model.select(self._stacks)
        out = self._model.module(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **{self._cache_word: self._cache},
        )
        return out.logits[:, -1].float()


def _cache_word(module: Any) -> str:
    """Return what a model calls its cache: ``cache``, or ``past_key_values`` in older transformers."""
    base = module.get_base_model() if hasattr(module, "get_base_model") else module
    return "cache" if "cache" in inspect.signature(base.forward).parameters else "past_key_values"
