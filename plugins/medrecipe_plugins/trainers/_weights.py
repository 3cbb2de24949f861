"""The weights that a training changes: on disk alone, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from pipeline_dsl.api import GuardError, ModelError

FILE = "trainable.safetensors"


def trainable(module: Any) -> Mapping[str, torch.nn.Parameter]:
    """The parameters that training changes, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def write(module: Any, folder: Path, step: int) -> None:
    """Write the trainable weights as they are after a step.

    Raises:
        GuardError: one of them is not finite.
    """
    check(module, step)
    tensors = {name: p.detach().cpu().contiguous() for name, p in trainable(module).items()}
    save_file(tensors, folder / FILE)


def load(module: Any, folder: Path) -> None:
    """Put weights back into the model.

    Raises:
        ModelError: they are another model's.
    """
    saved, own = load_file(folder / FILE), trainable(module)
    if {n: t.shape for n, t in saved.items()} != {n: p.shape for n, p in own.items()}:
        message = "the checkpoint's trainable weights are not those of this model"
        raise ModelError(message, place=str(folder), help="start the phase again without resuming")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])


def check(module: Any, step: int) -> None:
    """Raise GuardError where a trainable weight is not finite after a step."""
    if not all(bool(torch.isfinite(p).all()) for p in trainable(module).values()):
        raise not_finite("a trained weight", step)


def not_finite(what: str, step: int) -> GuardError:
    """The error for a step in which something is no number any more."""
    message = f"{what} is not finite at step {step}"
    help_ = "the last checkpoint is kept; lower learning_rate or max_grad_norm, or look for damaged data"
    return GuardError(message, code="MR495", help=help_)
