"""A short pretraining: packed blocks, AdamW, warm-up and cosine. The same seed gives the same weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

_BLOCK, _ROWS = 128, 8
_PEAK_LEARNING_RATE = 3e-3
_WARM_UP = 0.1
_SAY_EVERY = 10


def pretrain(
    module: Any,
    documents: Sequence[Sequence[int]],
    *,
    steps: int,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Train all weights on documents of token ids, each with its marks, for a number of steps."""
    if not steps:
        return
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=_PEAK_LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    module.train()
    blocks = _batches(documents, seed)
    for step in range(1, steps + 1):
        ids = next(blocks)
        loss = module(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        if step % _SAY_EVERY == 0 or step == steps:
            say(f"pretraining step {step} of {steps}, loss {float(loss.detach()):.2f}")
    module.eval()


def _rate(step: int, steps: int) -> float:
    """Return the share of the peak learning rate at a 0-based step."""
    warm = max(1, round(steps * _WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _batches(documents: Sequence[Sequence[int]], seed: int) -> Iterator[torch.Tensor]:
    """Yield (rows, block) of ids for ever: documents in a new order each epoch, end to end."""
    generator = torch.Generator().manual_seed(seed)
    rest: list[int] = []
    size = _BLOCK * _ROWS
    while True:
        for i in torch.randperm(len(documents), generator=generator).tolist():
            rest.extend(documents[i])
            while len(rest) >= size:
                yield torch.tensor(rest[:size]).view(_ROWS, _BLOCK)
                del rest[:size]
