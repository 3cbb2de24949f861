"""A finished stack as one thing: folded into the weights, or written as one adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from torch.nn.functional import pad

from medrecipe_plugins.adapters import _targets
from medrecipe_plugins.adapters._factors import Factors, factors_of
from medrecipe_plugins.adapters._merge import merge
from medrecipe_plugins.adapters._saving import write_adapter
from medrecipe_plugins.models._quantisation import is_quantised, unpack
from medrecipe_plugins.models._shape import linear_shapes, not_text
from pipeline_dsl.api import LanguageModel, MergeProof, ModelError, StackLayer

_PREFIX = "base_model.model"


def fold(model: LanguageModel, layers: Sequence[StackLayer]) -> MergeProof:
    """Fold a stack into the weights: what was merged in training first, then all that was active above it."""
    if is_quantised(model.module):
        unpack(model.module)
    groups = [[x for x in layers if x.role == "merge"], [x for x in layers if x.role != "merge"]]
    proofs = []
    handle: Any = model
    for group in groups:
        if group:
            handle.module, proof = merge(model, group)
            proofs.append(proof)
    return MergeProof(
        adapters=tuple(layer.name for layer in layers),
        probes=proofs[-1].probes,
        max_abs_logit_difference=max(p.max_abs_logit_difference for p in proofs),
        max_kl=max(p.max_kl for p in proofs),
        tolerance=max(p.tolerance for p in proofs),
    )


def concatenate(model: LanguageModel, layers: Sequence[StackLayer], folder: Path) -> None:
    """Write one adapter whose factors are those of all layers, side by side, and whose scale is 1."""
    _refuse_added_tokens(model)
    factors = factors_of(model, layers)
    rank = max(update.down.shape[0] for update in factors.values())
    write_adapter(folder, _tensors(factors, rank), _config(model, sorted(factors), rank))


def _refuse_added_tokens(model: LanguageModel) -> None:
    if model.new_tokens:
        raise ModelError(
            f"the recipe adds {len(model.new_tokens)} tokens to the base, which an adapter for the untouched "
            "base cannot bring along",
            help="export it --to merged, with its tokenizer",
            code="MR473",
        )


def _tensors(factors: Mapping[str, Factors], rank: int) -> dict[str, torch.Tensor]:
    """The factors under PEFT's names, filled up with zeros to one rank: many tools know no other."""
    tensors = {}
    for path, update in sorted(factors.items()):
        gap = rank - update.down.shape[0]
        down, up = pad(update.down.cpu(), (0, 0, 0, gap)), pad(update.up.cpu(), (0, gap))
        tensors[f"{_PREFIX}.{path}.lora_A.weight"] = down.contiguous()
        tensors[f"{_PREFIX}.{path}.lora_B.weight"] = up.contiguous()
    return tensors


def _config(model: LanguageModel, paths: Sequence[str], rank: int) -> LoraConfig:
    """Describe the adapter: its alpha is its rank, for the scales are in the factors."""
    identity = getattr(model, "identity", None)
    linears, skipped = linear_shapes(model.module), not_text(model.module)
    leaves = sorted({path.rpartition(".")[2] for path in paths})
    meant = set(_targets.targeted(leaves, linears, skipped)) == set(paths)
    return LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=getattr(identity, "name", None),
        revision=getattr(identity, "revision", None) or None,
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        target_modules=leaves if meant else list(paths),
        exclude_modules=_targets.excluded(leaves, linears, skipped) if meant else None,
        bias="none",
    )
