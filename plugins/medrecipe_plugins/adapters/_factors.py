"""A stack as one low-rank update a module: all factors of its layers side by side, scales folded in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from medrecipe_plugins.adapters._loading import saved_config
from medrecipe_plugins.adapters._stack import put_on
from pipeline_dsl.api import LanguageModel, ModelError, StackLayer


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """An update ``up @ down`` of one weight, in fp32."""

    down: torch.Tensor
    """A of every layer, below each other: (rank, inputs)."""
    up: torch.Tensor
    """B of every layer times its scale, side by side: (outputs, rank)."""


def factors_of(model: LanguageModel, layers: Sequence[StackLayer]) -> dict[str, Factors]:
    """Return the updates of saved layers by the names of the modules; the model is left as it was.

    Every layer is put on by PEFT, so that files are checked and scales are PEFT's own.

    Raises:
        ModelError: MR473, a layer does more than add a product of factors; or a file is damaged.
    """
    for layer in layers:
        refuse_other_updates(layer)
    peft, names = put_on(model, model.module, layers)
    try:
        return {
            path: side_by_side(part, [n for n in names.values() if n in part.lora_A])
            for path, part in peft.base_model.model.named_modules()
            if isinstance(part, LoraLayer)
        }
    finally:
        peft.unload()


def refuse_other_updates(layer: StackLayer) -> None:
    """Raise ModelError (MR473) for an adapter that is more than a product of factors."""
    more = not_factors(layer)
    if more:
        raise ModelError(
            f"the adapter {layer.name} {more}, which no sum of low-rank updates can say",
            help="export the run --to merged",
            code="MR473",
        )


def not_factors(layer: StackLayer) -> str | None:
    """Return what an adapter does beside adding a product of factors; None for a plain one."""
    config = saved_config(layer)
    if config.use_dora:
        return "rescales the weights (DoRA)"
    if config.trainable_token_indices:
        return "trained rows of added tokens"
    return None


def side_by_side(layer: Any, names: Sequence[str]) -> Factors:
    """Return the sum of a PEFT layer's adapters as one product."""
    downs = [layer.lora_A[name].weight.detach().float() for name in names]
    ups = [layer.lora_B[name].weight.detach().float() * layer.scaling[name] for name in names]
    return Factors(down=torch.cat(downs).contiguous(), up=torch.cat(ups, dim=1).contiguous())
