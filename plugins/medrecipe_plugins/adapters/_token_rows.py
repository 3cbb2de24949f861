"""The rows of added tokens, trained by an adapter through PEFT's ``trainable_token_indices``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal

import torch
from peft import LoraConfig
from peft.tuners.trainable_tokens import TrainableTokensLayer

from medrecipe_plugins.adapters._targets import new_row_parameters
from pipeline_dsl.api import LanguageModel, ModelError, NewRows

_DELTA = "trainable_tokens_delta"
PARTS = ("token_adapter", _DELTA)
"""What PEFT puts between a table's name and an adapter's."""


def indices(model: LanguageModel, base: Any, wanted: Literal[True, "input"]) -> dict[str, list[int]]:
    """Return PEFT's ``trainable_token_indices`` for the added tokens of a model: ids by table.

    Tables that share their rows are named once: PEFT ties the other one.

    Raises:
        ModelError: MR474, see ``_targets.new_row_parameters``.
    """
    inputs, output = base.get_input_embeddings(), base.get_output_embeddings()
    tied = output.weight is inputs.weight
    head: Literal["own", "biased"] = "own" if getattr(output, "bias", None) is None else "biased"
    ids = list(model.new_tokens)
    rows = NewRows(tokens=len(ids), width=inputs.embedding_dim, head="tied" if tied else head)
    new_row_parameters(rows if ids else None, wanted)
    tables = [inputs] if tied or wanted == "input" else [inputs, output]
    return {name: list(ids) for table in tables for name, part in base.named_modules() if part is table}


def verify_saved(model: LanguageModel, base: Any, config: LoraConfig, name: str) -> None:
    """Raise ModelError (MR462) where a saved adapter trained other rows than those of this model's tokens."""
    saved = config.trainable_token_indices
    if not saved:
        return
    tables = {
        path: list(model.new_tokens)
        for path, part in base.named_modules()
        if part in (base.get_input_embeddings(), base.get_output_embeddings())
    }
    given = saved if isinstance(saved, dict) else {}
    if not given or any(tables.get(table) != ids or not ids for table, ids in given.items()):
        raise ModelError(
            f"the adapter {name} trained the rows of other tokens than those added to this model",
            help="add the same tokens in the same order: add_tokens, add_tokens_from",
            code="MR462",
        )


def trained_names(peft: Any, adapters: Collection[str]) -> Iterator[str]:
    """Yield the names of the parameters that hold the rows which these adapters train."""
    for path, layer in peft.named_modules():
        if isinstance(layer, TrainableTokensLayer) and layer.tied_adapter is None:
            yield from (f"{path}.{_DELTA}.{name}" for name in adapters if name in layer.token_indices)


def fold(peft: Any, adapters: Sequence[str]) -> None:
    """Write the rows of adapters into the tables; ``peft.unload()`` gives these back."""
    with torch.no_grad():
        for layer in peft.modules():
            if isinstance(layer, TrainableTokensLayer) and layer.tied_adapter is None:
                weight = layer.get_base_layer().weight
                for name in adapters:
                    if name in layer.token_indices:
                        rows = layer.trainable_tokens_delta[name]
                        weight[layer.token_indices[name]] = rows.to(weight.dtype)
