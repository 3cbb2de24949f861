"""The tensors of one attached adapter, as PEFT names them in files.

PEFT's own functions ask every table whose rows an adapter trains for the rows of each other adapter too, and
fail where these have none. So they are handed an empty tensor for these, and it is taken out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.trainable_tokens import TrainableTokensLayer

_ROWS = "trainable_tokens_delta"


def read(peft: Any, name: str) -> dict[str, torch.Tensor]:
    """Return the tensors of an adapter by the names that they have in its file."""
    absent = _absent(peft, name)
    state = peft.state_dict() | {f"{table}.{name}": torch.empty(0) for table in absent}
    found: dict[str, torch.Tensor] = get_peft_model_state_dict(
        peft, state, adapter_name=name, save_embedding_layers=False
    )
    return {key: tensor for key, tensor in found.items() if key not in absent}


def write(peft: Any, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Put tensors into an adapter that is in place."""
    empty = {table: torch.empty(0) for table in _absent(peft, name)}
    set_peft_model_state_dict(peft, {**tensors, **empty}, adapter_name=name)


def _absent(peft: Any, name: str) -> list[str]:
    """Return the tables whose rows another adapter trains and this one does not."""
    return [
        f"{path}.{_ROWS}"
        for path, layer in peft.named_modules()
        if isinstance(layer, TrainableTokensLayer) and layer.tied_adapter is None
        if name not in layer.token_indices
    ]
