"""E: medrecipe's trainer ``lora_sft``, by its public interface."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_step import shapes
from lora_step.meter import Meter
from lora_step.texts import Ids
from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.models.causal_lm import CausalLM
from medrecipe_plugins.models.causal_lm import Options as ModelOptions
from medrecipe_plugins.trainers._fast_step import FastStep
from medrecipe_plugins.trainers.lora_sft import LoraSft, Options
from pipeline_dsl.api import Control, LoadRequest, Prepared, StackLayer, TrainJob


@dataclass(frozen=True)
class InOrder:
    """Samples in the order in which they were written."""

    items: Sequence[Prepared]

    def __len__(self) -> int:
        return len(self.items)

    def epoch(self, number: int) -> Sequence[Prepared]:
        return self.items


def train(folder: Path, samples: list[Ids], meter: Meter, *, budget: int, dtype: str) -> None:
    """Train with packs of at most ``budget`` tokens."""
    items = prepared(samples)
    options = Options(
        batch_size=shapes.SAMPLES_A_STEP,
        max_tokens=budget,
        max_length=shapes.MAX_LENGTH,
        learning_rate=shapes.LEARNING_RATE,
        lr_scheduler="constant",
        group_by_length=False,
        epochs=1,
    )
    model = with_adapter(folder, dtype)

    def fire(event: Any) -> Control:
        if event.name == "started":
            meter.begin()
        if event.name == "iteration_completed":
            taken = samples[(event.step - 1) * shapes.SAMPLES_A_STEP : event.step * shapes.SAMPLES_A_STEP]
            meter.losses.append(event.loss)
            meter.labels.append(event.label_tokens)
            meter.tokens.append(sum(len(ids) for ids, _ in taken))
            meter.stepped()
        return Control()

    with tempfile.TemporaryDirectory() as output:
        LoraSft(options).train(
            TrainJob(
                phase="bench", model=model, samples=InOrder(items), seed=1, folder=Path(output),
                resume=False, fire=fire, say=print,
            )
        )  # fmt: skip


def take(step: FastStep, samples: list[Prepared]) -> tuple[float, int]:
    """Gradients of one optimizer step; return its loss and the tokens that were computed."""
    items = sum(sample.label_tokens for sample in samples)
    total, tokens = 0.0, 0
    for pack in step.packs(samples):
        loss = step.loss(pack) / items
        loss.backward()
        total += float(loss.detach())
        tokens += pack.ids.numel()
    return total, tokens


def prepared(samples: list[Ids]) -> list[Prepared]:
    """Samples as trainers get them."""
    return [Prepared(str(n), array("i", ids), start) for n, (ids, start) in enumerate(samples)]


def with_adapter(folder: Path, dtype: str, below: Sequence[StackLayer] = (), **options: Any) -> Any:
    """Load the model and put an adapter on it, and others below it, by the built-in providers."""
    model = CausalLM(options=ModelOptions(folder=str(folder), dtype=dtype)).load(
        LoadRequest(device="cpu", seed=1)
    )
    own = adapter(**options)
    own.attach(model, [*below, StackLayer(name="new", role="train", adapter=own, folder=None)])
    return model


def adapter(**options: Any) -> Lora:
    """The adapter that all settings have."""
    usual = {
        "r": shapes.RANK, "alpha": shapes.ALPHA, "dropout": shapes.DROPOUT, "target_modules": shapes.TARGETS,
    }  # fmt: skip
    return Lora(options=LoraOptions(**usual | options))
