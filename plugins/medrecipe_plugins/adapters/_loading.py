"""Read saved adapters: whole, finite, fitting tensor by tensor, or refused. PEFT itself at most warns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file

from medrecipe_plugins.adapters import _state
from medrecipe_plugins.models._checkpoint import verify_safetensors
from pipeline_dsl.api import ModelError, StackLayer

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_WEIGHT_CHANGING = ("pissa", "olora", "corda", "loftq", "lora_ga")
_NOT_SUPPORTED = (
    "modules_to_save",
    "layer_replication",
    "target_parameters",
    "megatron_config",
)


def saved_folder(layer: StackLayer) -> Path:
    """Return the folder of a saved adapter, or raise ModelError where its files are not there."""
    folder = layer.folder
    if folder is None:
        raise ModelError(f"the adapter {layer.name} has no saved weights to {layer.role}", code="MR461")
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            pickle = file == WEIGHTS and (folder / "adapter_model.bin").is_file()
            raise ModelError(
                f"the adapter {layer.name} lacks {file}" + (": a pickle is never read" if pickle else ""),
                help="train its phase again, or restore its folder",
                code="MR453" if pickle else "MR461",
                place=str(folder),
            )
    return folder


def saved_config(layer: StackLayer) -> LoraConfig:
    """Return the configuration of a saved adapter, or raise ModelError."""
    path = saved_folder(layer) / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind = content.get("peft_type")
        config = LoraConfig.from_pretrained(str(path.parent)) if kind == "LORA" else None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{CONFIG} of {layer.name} cannot be read: {error}", code="MR456", place=str(path)
        ) from error
    if not isinstance(config, LoraConfig):
        raise ModelError(f"the adapter {layer.name} is {kind}, not LORA", code="MR462", place=str(path))
    _refuse_unsupported(layer, config)
    config.init_lora_weights = True
    config.inference_mode = False
    return config


def _refuse_unsupported(layer: StackLayer, config: LoraConfig) -> None:
    init = str(config.init_lora_weights).lower()
    if init.startswith(_WEIGHT_CHANGING):
        raise ModelError(
            f"the adapter {layer.name} was saved with init_lora_weights {init}, which changes the base",
            help="save it as a plain LoRA (PEFT's path_initial_model_for_weight_conversion)",
            code="MR462",
        )
    for name in _NOT_SUPPORTED:
        if getattr(config, name, None):
            raise ModelError(f"the adapter {layer.name} uses {name}, which stacks do not carry", code="MR462")


def load_weights(peft: Any, layer: StackLayer, name: str) -> None:
    """Fill an adapter that is in place from its file; every tensor must be used, and none missing."""
    path = saved_folder(layer) / WEIGHTS
    tensors = read_tensors(path)
    expected = _state.read(peft, name)
    _compare(layer, path, tensors, expected)
    _state.write(peft, tensors, name)
    placed = _state.read(peft, name)
    for key, tensor in tensors.items():
        if not torch.equal(placed[key].cpu(), tensor.to(placed[key].dtype)):
            raise ModelError(
                f"the tensor {key} of {layer.name} was not taken over", code="MR462", place=str(path)
            )


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file on the CPU, or raise ModelError."""
    verify_safetensors(path)
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path.name} is damaged: {error}", code="MR456", place=str(path)) from error
    return tensors


def _compare(
    layer: StackLayer, path: Path, tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> None:
    missing, surplus = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    shapes = [k for k in sorted(set(expected) & set(tensors)) if expected[k].shape != tensors[k].shape]
    for names, what in ((missing, "lacks"), (surplus, "has no place for"), (shapes, "has another shape of")):
        if names:
            raise ModelError(
                f"the adapter {layer.name} does not fit this model: it {what} {names[0]} "
                f"({len(names)} such tensors)",
                help="it was trained on another base, or its files are mixed up",
                code="MR462",
                place=str(path),
            )
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ModelError(
                f"the adapter {layer.name} has numbers that are not finite in {key}",
                help="train its phase again",
                code="MR458",
                place=str(path),
            )
