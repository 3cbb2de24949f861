"""A and B: transformers and PEFT with padded batches, as most training loops are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lora_step import shapes
from lora_step.meter import Meter
from lora_step.texts import Ids


def train(
    folder: Path, steps: list[list[Ids]], micro_batch: int, meter: Meter, *, to: int | None, dtype: str
) -> None:
    """Train with loss over the logits of all positions.

    Args:
        folder: of the model.
        steps: samples of each optimizer step.
        micro_batch: samples computed at once.
        meter: counts.
        to: length that all batches are padded to; None for their longest sample.
        dtype: number format of the weights.
    """
    module = with_lora(folder, dtype)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=shapes.LEARNING_RATE)
    meter.begin()
    for samples in steps:
        items = sum(len(ids) - start for ids, start in samples)
        total = 0.0
        for at in range(0, len(samples), micro_batch):
            batch = padded(samples[at : at + micro_batch], to)
            loss = module(**batch, num_items_in_batch=items, use_cache=False).loss
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        meter.losses.append(total)
        meter.labels.append(items)
        meter.tokens.append(sum(len(ids) for ids, _ in samples))
        meter.stepped()


def with_lora(folder: Path, dtype: str) -> Any:
    """Load the model and put fp32 adapters on it."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    return get_peft_model(base, lora_config()).train()


def lora_config() -> Any:
    """The adapter that all settings have."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=shapes.RANK,
        lora_alpha=shapes.ALPHA,
        lora_dropout=shapes.DROPOUT,
        target_modules=shapes.TARGETS,
    )


def padded(samples: list[Ids], to: int | None) -> dict[str, torch.Tensor]:
    """Ids, mask and labels of a batch, padded on the right."""
    length = to or max(len(ids) for ids, _ in samples)
    shape = (len(samples), length)
    ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, -100)
    for row, (tokens, start) in enumerate(samples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        labels[row, start : len(tokens)] = torch.tensor(tokens[start:])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
