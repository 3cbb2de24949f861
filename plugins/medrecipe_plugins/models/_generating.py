"""Greedy decoding with a key-value cache, independent of the checkpoint's own generation settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from medrecipe_plugins.models._batching import pad

if TYPE_CHECKING:
    from medrecipe_plugins.models._language_model import TorchCausalLM


def generate(
    model: TorchCausalLM, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> list[tuple[str, bool]]:
    """Return the text after each prompt, and whether it came to an end mark."""
    limits = [min(max_new_tokens, model.max_positions - len(prompt)) for prompt in prompts]
    produced: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    for tokens in _greedy(model, prompts, max(limits)):
        for i, token in enumerate(tokens):
            if ended[i] or len(produced[i]) >= limits[i]:
                continue
            if token in model.ends:
                ended[i] = True
            else:
                produced[i].append(token)
        if all(end or len(p) >= limit for end, p, limit in zip(ended, produced, limits, strict=True)):
            break
    texts = [
        model.tokenizer.decode(p, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for p in produced
    ]
    return list(zip(texts, ended, strict=True))


def _greedy(model: TorchCausalLM, prompts: Sequence[Sequence[int]], steps: int) -> Iterator[list[int]]:
    """Yield the next token of every prompt, ``steps`` times. Prompts are padded on their left."""
    ids, mask = pad(prompts, model.marks.pad, "left", model.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = None
    for _ in range(steps):
        out = model.module(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        token = out.logits[:, -1].float().argmax(-1)
        yield token.tolist()
        cache = out.past_key_values
        ids, positions = token[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
