"""Write a model as transformers reads it, from weights that were never packed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError

from medrecipe_plugins.models._machine import DTYPES
from medrecipe_plugins.models._quantisation import is_quantised
from medrecipe_plugins.models._quiet import quiet_libraries
from pipeline_dsl.api import MachineError, ModelError

if TYPE_CHECKING:
    from medrecipe_plugins.models._language_model import TorchCausalLM


def write(model: TorchCausalLM, folder: Path, dtype: str | None) -> None:
    """Write weights, configuration, generation settings and tokenizer; ModelError or MachineError if not."""
    module = model.module
    if is_quantised(module) or hasattr(module, "peft_config") or model.bank is not None:
        raise ModelError(
            "only a plain model can be written: this one is quantised, or carries adapters", code="MR473"
        )
    wanted = DTYPES[dtype] if dtype else None
    if wanted is torch.float16 and str(module.config.model_type).startswith("gemma3"):
        raise ModelError("Gemma 3 overflows float16", help="write bfloat16 or float32", code="MR455")
    if wanted is not None:
        module.to(wanted)
    try:
        with quiet_libraries():
            module.save_pretrained(folder, safe_serialization=True)
            model.tokenizer.save_pretrained(folder)
        _let_others_read(folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MachineError(f"the model cannot be written: {reason}", place=str(folder)) from error


def _let_others_read(folder: Path) -> None:
    """Give weights the rights of the other files: safetensors writes them for their owner alone."""
    for weights in folder.glob("*.safetensors"):
        weights.chmod((folder / "config.json").stat().st_mode)
