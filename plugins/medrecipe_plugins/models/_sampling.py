"""The next token from logits: the likeliest one, or one drawn from the likeliest."""

from __future__ import annotations

import random

import torch


def next_token(logits: torch.Tensor, *, temperature: float, top_p: float, random_: random.Random) -> int:
    """Return a token id.

    Args:
        logits: (vocabulary,), in float32.
        temperature: the logits are divided by it; 0 takes the likeliest token.
        top_p: draw from the smallest set of likeliest tokens whose probabilities sum to it (nucleus sampling,
            Holtzman et al. 2020); the likeliest is always among them.
        random_: draws one number a token, so that the same seed gives the same text on any device.
    """
    if temperature == 0:
        return int(logits.argmax())
    probabilities = (logits / temperature).softmax(-1)
    if top_p >= 1:  # all may be drawn: there is nothing to sort for, which takes longest
        reached = probabilities.double().cumsum(-1)
        drawn = torch.searchsorted(reached, random_.random() * float(reached[-1]), right=True)
        return min(int(drawn), len(reached) - 1)
    likely, ids = probabilities.sort(descending=True, stable=True)
    cumulated = likely.double().cumsum(-1)
    kept = cumulated[cumulated - likely < top_p]
    drawn = torch.searchsorted(kept, random_.random() * float(kept[-1]), right=True)
    return int(ids[min(int(drawn), len(kept) - 1)])
