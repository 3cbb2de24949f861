"""Fold saved adapters into the weights, and prove by logits that nothing else happened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from medrecipe_plugins.adapters import _token_rows
from medrecipe_plugins.adapters._factors import side_by_side
from medrecipe_plugins.adapters._loading import saved_config
from medrecipe_plugins.adapters._stack import put_on
from medrecipe_plugins.models._quantisation import is_quantised
from pipeline_dsl.api import LanguageModel, MergeProof, ModelError, StackLayer

PROBES = (
    "The patient was given antibiotics for pneumonia and recovered within a week.",
    "환자는 폐렴으로 항생제 치료를 받고 일주일 만에 회복하였다.",
    "다음 중 제2형 당뇨병의 일차 치료제는? A) 메트포르민 B) 아스피린",
    "고혈압 (hypertension): 혈압이 정상보다 높은 상태.",
    "Der Blutdruck beträgt 140/90 mmHg; la tension est élevée.",
    "word question: myocardial infarction\nshort_answer: 심근경색",
)
"""Probe rows: medical and general, Korean, English and others, with digits and line ends."""
_TILE = 2**20
"""Numbers of a weight that are folded at once: 4 MiB in fp32."""


def merge(model: LanguageModel, layers: Sequence[StackLayer]) -> tuple[Any, MergeProof]:
    """Return the base with the layers folded in, and the proof; ModelError where the proof fails.

    Plain LoRA is summed over all layers in fp32 and rounded once. A DoRA adapter rescales what is below it,
    so that with one among them each layer is folded in by itself, in order; so it is where several adapters
    trained the rows of added tokens, of which the last one's hold.
    """
    _refuse_quantised(model)
    groups = [[layer] for layer in layers] if _one_by_one(layers) else [list(layers)]
    rows = _probe_rows(model)
    base, steps = model.module, []
    for group in groups:
        base, step = _merge_group(model, base, group, rows)
        steps.append(step)
    proof = MergeProof(
        adapters=tuple(layer.name for layer in layers),
        probes=len(rows),
        max_abs_logit_difference=_worst(s.difference for s in steps),
        max_kl=_worst(s.kl for s in steps),
        tolerance=min(s.tolerance for s in steps),
    )
    _refuse_unproven(proof)
    return base, proof


def _one_by_one(layers: Sequence[StackLayer]) -> bool:
    configs = [saved_config(layer) for layer in layers]
    with_rows = sum(bool(config.trainable_token_indices) for config in configs)
    return with_rows > 1 or any(config.use_dora for config in configs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What one folding did to the logits."""

    difference: float
    kl: float
    tolerance: float


def _merge_group(
    model: LanguageModel, base: Any, group: Sequence[StackLayer], rows: Sequence[torch.Tensor]
) -> tuple[Any, _Step]:
    """Fold layers in at once and compare the logits of before, of the stack and of after."""
    plain = _logits(base, rows)
    peft, names = put_on(model, base, group)
    stacked = _logits(peft, rows)
    base = _fold(peft, list(names.values()))
    merged = _logits(base, rows)
    scale = max(float(row.abs().max()) for row in stacked)
    effect = max(_distances(plain, stacked))
    return base, _Step(
        difference=_worst(_distances(stacked, merged)),
        kl=_worst(_kl(a, b) for a, b in zip(stacked, merged, strict=True)),
        tolerance=tolerance(next(base.parameters()).dtype, scale, effect),
    )


def tolerance(dtype: torch.dtype, scale: float, effect: float) -> float:
    """Return the bound on logit differences between a stack and its merged weights.

    Rounding the merged weights once moves each by half a unit in the last place, and the two paths add in
    another order: 8 units at the logits' scale, 1e-4 at least, or a thousandth of what the adapters do
    (an adapter with a large effect makes a network that amplifies rounding). A forgotten or doubled adapter
    is of the order of the effect itself.
    """
    unit = float(torch.finfo(dtype).eps)
    return max(1e-4, 8 * unit * max(10.0, scale), 1e-3 * effect)


def _refuse_unproven(proof: MergeProof) -> None:
    if not proof.max_abs_logit_difference <= proof.tolerance:
        raise ModelError(
            f"merging {', '.join(proof.adapters)} changed the model: logits differ by "
            f"{proof.max_abs_logit_difference:.2g}, over {proof.tolerance:.2g}",
            help="keep the adapters as they are with freeze, or merge in float32",
            code="MR463",
        )


def _refuse_quantised(model: LanguageModel) -> None:
    if is_quantised(model.module):
        raise ModelError(
            "adapters cannot be merged into a quantised base: most of their training would be rounded away",
            help="keep them active with freeze, or load the base in 16 bits",
            code="MR464",
        )


def _fold(peft: Any, adapters: Sequence[str]) -> Any:
    """Fold adapters into the weights and return the base without any trace of PEFT."""
    if any(peft.peft_config[name].use_dora for name in adapters):
        return peft.merge_and_unload(safe_merge=True)
    with torch.no_grad():
        for layer in peft.modules():
            if isinstance(layer, LoraLayer):
                _fold_layer(layer, adapters)
    _token_rows.fold(peft, adapters)
    return peft.unload()


def _fold_layer(layer: Any, adapters: Sequence[str]) -> None:
    """Add the sum of all updates in fp32 to a weight, and round once.

    All updates are one product of their factors side by side, taken some rows of the weight at a time:
    neither an update nor a second weight in fp32 is ever whole in memory.
    """
    weight = layer.get_base_layer().weight
    update = side_by_side(layer, [name for name in adapters if name in layer.lora_A])
    rows = max(1, _TILE // weight.shape[1])
    for at in range(0, weight.shape[0], rows):
        tile = weight[at : at + rows]
        tile.copy_(torch.addmm(tile.float(), update.up[at : at + rows], update.down))


def _probe_rows(model: LanguageModel) -> list[torch.Tensor]:
    tokenizer = model.tokenizer
    rows = [tokenizer(text, verbose=False).input_ids[:64] for text in PROBES]
    rows += [list(model.new_tokens)[:64]] if model.new_tokens else []
    return [torch.tensor([row], device=model.device) for row in rows]


def _logits(module: Any, rows: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the logits of each row in fp32 on the CPU, (tokens, vocabulary)."""
    module.eval()
    with torch.no_grad():
        return [module(input_ids=row, use_cache=False).logits[0].float().cpu() for row in rows]


def _kl(stacked: torch.Tensor, merged: torch.Tensor) -> float:
    """Return the largest KL(stacked || merged) over the tokens of a row, in nats."""
    p, q = stacked.log_softmax(-1), merged.log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).clamp(min=0.0).max())


def _distances(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> list[float]:
    return [float((a - b).abs().max()) for a, b in zip(one, other, strict=True)]


def _worst(figures: Iterable[float]) -> float:
    """Return the largest figure, where a NaN is larger than all."""
    found = list(figures)
    return next((f for f in found if math.isnan(f)), max(found))
