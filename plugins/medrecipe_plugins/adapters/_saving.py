"""Write an adapter as stock PEFT reads it; not if it is broken or learned nothing, or the base changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from safetensors.torch import save as to_bytes

from medrecipe_plugins.adapters import _state
from medrecipe_plugins.adapters._attached import Attached, frozen_digest
from medrecipe_plugins.adapters._loading import CONFIG, WEIGHTS
from pipeline_dsl.api import GuardError, LanguageModel, MachineError, ModelError

Tensors = dict[str, torch.Tensor]
_WEIGHT_CHANGING = ("olora", "pissa")


def save(model: LanguageModel, name: str, folder: Path) -> None:
    """Write ``adapter_model.safetensors`` and ``adapter_config.json``, or raise GuardError."""
    attached: Attached | None = getattr(model, "attached", None)
    if attached is None or name not in attached.names:
        raise ModelError(f"the adapter {name} is not on this model", code="MR461")
    inside = attached.names[name]
    state = _state.read(model.module, inside)
    tensors = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in sorted(state.items())}
    verify_finite(name, tensors)
    verify_effect(name, tensors, attached.first_weights.get(name))
    if frozen_digest(model.module) != attached.frozen:
        raise GuardError("weights changed that were to stay frozen", help="nothing is saved", code="MR482")
    config = model.module.peft_config[inside]
    if config.init_lora_weights in _WEIGHT_CHANGING:
        scales = _scales(model.module, inside)
        tensors, config = as_plain_lora(tensors, attached.first_weights[name], config, scales)
    write_adapter(folder, tensors, config)


def verify_finite(name: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise GuardError where a tensor has NaN or infinity."""
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise GuardError(f"the adapter {name} has numbers that are not finite in {key}", code="MR484")


def verify_effect(
    name: str, tensors: Mapping[str, torch.Tensor], first: Mapping[str, torch.Tensor] | None
) -> None:
    """Raise GuardError where an adapter leaves the model as it was: B zero, or as it started."""
    telling = {key: tensor for key, tensor in tensors.items() if ".lora_A." not in key}
    if first is None:
        moved = any(tensor.any() for key, tensor in telling.items() if ".lora_B." in key)
    else:
        moved = any(not torch.equal(tensor, first[key]) for key, tensor in telling.items())
    if not moved:
        raise GuardError(
            f"the adapter {name} has no effect: training changed nothing in it",
            help="look at the learning rate, the number of steps and the loss",
            code="MR481",
        )


def as_plain_lora(
    tensors: Mapping[str, torch.Tensor],
    first: Mapping[str, torch.Tensor],
    config: LoraConfig,
    scales: Mapping[str, float],
) -> tuple[Tensors, LoraConfig]:
    """Return an adapter for the untouched base: ``s (B A - B0 A0)`` as rank 2r with scale 1.

    PiSSA and OLoRA take their first update out of the base's weights; a saved adapter must not need that.
    """
    plain: Tensors = {}
    for key, tensor in tensors.items():
        if ".lora_A." in key:
            plain[key] = torch.cat([tensor, first[key]], dim=0).contiguous()
        elif ".lora_B." in key:
            scale = scales[key.partition(".lora_B.")[0]]
            plain[key] = (torch.cat([tensor, -first[key]], dim=1) * scale).contiguous()
        else:
            plain[key] = tensor
    ranks = {pattern: 2 * rank for pattern, rank in (config.rank_pattern or {}).items()}
    changed = replace(
        config,
        r=2 * config.r,
        lora_alpha=2 * config.r,
        rank_pattern=ranks,
        alpha_pattern=dict(ranks),
        use_rslora=False,
        init_lora_weights=True,
    )
    return plain, changed


def _scales(peft: Any, adapter: str) -> dict[str, float]:
    """Return the scale of an adapter on each module, by the module's name."""
    return {
        name: float(layer.scaling[adapter])
        for name, layer in peft.named_modules()
        if isinstance(layer, LoraLayer) and adapter in layer.scaling
    }


def write_adapter(folder: Path, tensors: Tensors, config: LoraConfig) -> None:
    """Write an adapter as PEFT reads it; equal ones are equal bytes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / WEIGHTS, to_bytes(tensors, metadata={"format": "pt"}))
        _replace(folder / CONFIG, _config_text(config).encode())
    except OSError as error:
        raise MachineError(f"the adapter cannot be written: {error.strerror}", place=str(folder)) from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _config_text(config: LoraConfig) -> str:
    """Return a configuration as PEFT writes it, but with sets in order: equal ones are equal bytes."""
    content = replace(config, inference_mode=True).to_dict()
    ordered = {key: sorted(value) if isinstance(value, set) else value for key, value in content.items()}
    return json.dumps(ordered, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
