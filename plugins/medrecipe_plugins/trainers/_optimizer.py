"""An optimizer's state on disk: tensors by the parameter's name, all other numbers as JSON.

The states are put back as they were, number formats included. ``Optimizer.load_state_dict`` would round those
of 16-bit parameters that are kept in 32 bits, as Adafactor keeps its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from pipeline_dsl.api import ModelError

TENSORS = "optimizer.safetensors"
NUMBERS = "optimizer.json"
_HOST, _PAGED, _DEVICE = "host", "paged", "device"
"""Where a tensor was: in the host's memory, in pages that move, or where its parameter is."""
Json = dict[str, Any]


def write(optimizer: Any, parameters: Mapping[str, torch.nn.Parameter], folder: Path) -> None:
    """Put an optimizer's state into a checkpoint.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or what accelerate makes of one.
        parameters: what it changes, by name.
        folder: the checkpoint.
    """
    names = {id(p): name for name, p in parameters.items()}
    tensors: dict[str, torch.Tensor] = {}
    states: dict[str, Json] = {}
    for parameter, state in optimizer.state.items():
        name = names[id(parameter)]
        states[name] = {"tensors": {}, "numbers": {}}
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors[_key(name, key)] = value.detach().to("cpu", copy=True).contiguous()
                states[name]["tensors"][key] = _where(value, parameter)
            else:
                states[name]["numbers"][key] = value
    groups = [
        {**group, "params": [names[id(p)] for p in group["params"]]} for group in optimizer.param_groups
    ]
    save_file(tensors, folder / TENSORS)
    text = json.dumps({"groups": groups, "states": states})
    (folder / NUMBERS).write_text(text + "\n", encoding="utf-8")


def load(optimizer: Any, parameters: Mapping[str, torch.nn.Parameter], folder: Path) -> None:
    """Put a state back into an optimizer that was made with the same options.

    Raises:
        ModelError: it is the state of an optimizer of other parameters.
    """
    numbers: Json = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    tensors: dict[str, torch.Tensor] = load_file(folder / TENSORS)
    names = {id(p): name for name, p in parameters.items()}
    own = [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]
    if own != [group["params"] for group in numbers["groups"]]:
        message = "the checkpoint's optimizer is one of other parameters"
        raise ModelError(message, place=str(folder), help="start the phase again without resuming")
    for group, saved in zip(optimizer.param_groups, numbers["groups"], strict=True):
        group.update({k: _like(group.get(k), v) for k, v in saved.items() if k != "params"})
    for name, saved in numbers["states"].items():
        parameter = parameters[name]
        optimizer.state[parameter] = dict(saved["numbers"]) | {
            key: _put(optimizer, parameter, tensors[_key(name, key)], where)
            for key, where in saved["tensors"].items()
        }


def _key(name: str, key: str) -> str:
    return f"{name}|{key}"


def _like(now: Any, saved: Any) -> Any:
    """A number of a group as it was: JSON has no tuples."""
    return tuple(saved) if isinstance(now, tuple) else saved


def _where(tensor: torch.Tensor, parameter: torch.Tensor) -> str:
    if getattr(tensor, "is_paged", False):  # bitsandbytes: memory of the host that a GPU sees
        return _PAGED
    return _DEVICE if tensor.device == parameter.device else _HOST


def _put(optimizer: Any, parameter: torch.Tensor, saved: torch.Tensor, where: str) -> torch.Tensor:
    """A tensor of a state in the place where it was."""
    if where == _HOST:
        return saved
    if where == _DEVICE:
        return saved.to(parameter.device)
    maker = getattr(optimizer, "optimizer", optimizer)
    buffer: torch.Tensor = maker.get_state_buffer(parameter, dtype=saved.dtype)
    buffer.copy_(saved)
    return buffer
