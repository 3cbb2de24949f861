"""A model's shapes, without its weights."""

from __future__ import annotations

from typing import Any, Literal

import torch

from medrecipe_plugins.models import _new_rows
from medrecipe_plugins.models._checkpoint import Checkpoint
from medrecipe_plugins.models._loading import load_base_tokenizer, load_config, model_class
from medrecipe_plugins.models._packed import packing
from medrecipe_plugins.models._quiet import quiet_libraries
from pipeline_dsl.api import LinearShape, ModelShape, NewRows

_NOT_TEXT = ("vision_tower", "multi_modal_projector", "vision_model", "visual", "audio_tower")


def shape_of(checkpoint: Checkpoint) -> ModelShape:
    """Return the shapes of a model that lies in a folder."""
    config = load_config(checkpoint)
    if not checkpoint.added_tokens:
        return shape_of_config(config)
    with quiet_libraries():
        tokens = len(load_base_tokenizer(checkpoint))
    return shape_of_config(config, added=len(checkpoint.added_tokens), tokens=tokens)


def shape_of_config(config: Any, *, added: int = 0, tokens: int | None = None, note: str = "") -> ModelShape:
    """Build the model on the meta device from its configuration and read its module shapes.

    Args:
        config: the model's configuration.
        added: tokens that a recipe adds to the vocabulary.
        tokens: those that the tokenizer has; None where it is not known, then as many as rows.
        note: where the shapes are from.
    """
    with quiet_libraries(), torch.device("meta"):
        module = model_class(config).from_config(config, trust_remote_code=False)
        if added:
            rows = module.get_input_embeddings().num_embeddings
            _new_rows.resize(module, (rows if tokens is None else tokens) + added)
    text = config.get_text_config()
    return ModelShape(
        parameters=sum(p.numel() for p in module.parameters()),
        linears=linear_shapes(module),
        max_positions=int(text.max_position_embeddings),
        vocabulary=int(module.get_input_embeddings().num_embeddings),
        skipped=not_text(module),
        new_rows=_new_rows_of(module, added) if added else None,
        packing=packing(module),
        note=note,
    )


def _new_rows_of(module: Any, added: int) -> NewRows:
    inputs, output = module.get_input_embeddings(), module.get_output_embeddings()
    own: Literal["own", "biased"] = "own" if output.bias is None else "biased"
    return NewRows(
        tokens=added,
        width=int(inputs.weight.shape[1]),
        head="tied" if output.weight is inputs.weight else own,
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
