"""Greedy texts of many prompts, independent of the checkpoint's own generation settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medrecipe_plugins.models._batch import Batch
from pipeline_dsl.api import BASE

if TYPE_CHECKING:
    from medrecipe_plugins.models._language_model import TorchCausalLM


def generate(
    model: TorchCausalLM, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> list[tuple[str, bool]]:
    """Return the text after each prompt, and whether it came to an end mark."""
    limits = [min(max_new_tokens, model.max_positions - len(prompt)) for prompt in prompts]
    produced: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    going = [i for i, limit in enumerate(limits) if limit > 0]
    batch = Batch(model, [prompts[i] for i in going], [BASE] * len(going)) if going else None
    while batch is not None and going:
        tokens = [int(token) for token in batch.logits.argmax(-1)]
        for i, token in zip(going, tokens, strict=True):
            ended[i] = token in model.ends
            produced[i] += [] if ended[i] else [token]
        rows = [k for k, i in enumerate(going) if not ended[i] and len(produced[i]) < limits[i]]
        batch.keep(rows)
        going = [going[k] for k in rows]
        if going:
            batch.read([tokens[k] for k in rows])
    texts = [
        model.tokenizer.decode(p, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for p in produced
    ]
    return list(zip(texts, ended, strict=True))
