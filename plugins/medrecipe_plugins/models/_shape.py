"""A model's shapes, without its weights."""

from __future__ import annotations

from typing import Any

import torch

from medrecipe_plugins.models._checkpoint import Checkpoint
from medrecipe_plugins.models._loading import load_config, model_class
from medrecipe_plugins.models._quiet import quiet_libraries
from pipeline_dsl.api import LinearShape, ModelShape

_NOT_TEXT = ("vision_tower", "multi_modal_projector", "vision_model", "visual", "audio_tower")


def shape_of(checkpoint: Checkpoint) -> ModelShape:
    """Return the shapes of a model that lies in a folder."""
    return shape_of_config(load_config(checkpoint))


def shape_of_config(config: Any, *, note: str = "") -> ModelShape:
    """Build the model on the meta device from its configuration and read its module shapes."""
    with quiet_libraries(), torch.device("meta"):
        module = model_class(config).from_config(config, trust_remote_code=False)
    text = config.get_text_config()
    return ModelShape(
        parameters=sum(p.numel() for p in module.parameters()),
        linears=linear_shapes(module),
        max_positions=int(text.max_position_embeddings),
        vocabulary=int(text.vocab_size),
        skipped=not_text(module),
        note=note,
    )


def linear_shapes(module: Any) -> dict[str, LinearShape]:
    """Return every linear layer by its full name."""
    return {
        name: LinearShape(d_in=part.in_features, d_out=part.out_features)
        for name, part in module.named_modules()
        if isinstance(part, torch.nn.Linear)
    }


def not_text(module: Any) -> tuple[str, ...]:
    """Return the outermost parts that see or hear, which adapters leave out."""
    names = sorted(name for name, _ in module.named_modules() if name.rpartition(".")[2] in _NOT_TEXT)
    return tuple(n for n in names if not any(n.startswith(f"{other}.") for other in names))
