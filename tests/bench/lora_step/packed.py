"""E: the step of medrecipe."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import torch

from lora_step import shapes
from lora_step.meter import Meter
from lora_step.texts import Ids
from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.models.causal_lm import CausalLM
from medrecipe_plugins.models.causal_lm import Options as ModelOptions
from medrecipe_plugins.trainers._fast_step import FastStep
from pipeline_dsl.api import LoadRequest, Prepared, StackLayer


def train(folder: Path, steps: list[list[Ids]], meter: Meter, *, budget: int) -> None:
    """Train with packs of at most ``budget`` tokens."""
    module = with_adapter(folder)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=shapes.LEARNING_RATE)
    step = FastStep(module, "cpu", budget, share=True)
    meter.begin()
    with step.working():
        for samples in steps:
            take(step, prepared(samples), meter)
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            meter.stepped()


def take(step: FastStep, samples: list[Prepared], meter: Meter) -> None:
    """Gradients of one optimizer step."""
    items = sum(sample.label_tokens for sample in samples)
    total = 0.0
    for pack in step.packs(samples):
        loss = step.loss(pack) / items
        loss.backward()
        total += float(loss.detach())
        meter.extra["computed_tokens"] = meter.extra.get("computed_tokens", 0) + pack.ids.numel()
    meter.losses.append(total)
    meter.labels.append(items)
    meter.tokens.append(sum(len(sample.ids) for sample in samples))


def prepared(samples: list[Ids]) -> list[Prepared]:
    """Samples as trainers get them."""
    return [Prepared(str(n), array("i", ids), start) for n, (ids, start) in enumerate(samples)]


def with_adapter(folder: Path) -> Any:
    """Load the model in bfloat16 and put an adapter on it, by the built-in providers."""
    model = CausalLM(options=ModelOptions(folder=str(folder), dtype="bfloat16")).load(
        LoadRequest(device="cpu", seed=1)
    )
    own = Lora(
        options=LoraOptions(
            r=shapes.RANK, alpha=shapes.ALPHA, dropout=shapes.DROPOUT, target_modules=shapes.TARGETS
        )
    )
    own.attach(model, [StackLayer(name="new", role="train", adapter=own, folder=None)])
    return model.module.train()
