"""What is known of a model's architecture without loading it: its name, and those of its linear layers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from medrecipe_plugins.models._known_models import known_models

_LLAMA: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head")
_PHI3: Final = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj", "lm_head")
_PHI: Final = ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2", "lm_head")
_LAYERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "llama": _LLAMA,
    "gemma3_text": _LLAMA,
    "gemma3": (*_LLAMA, "out_proj", "fc1", "fc2"),
    "phi3": _PHI3,
    "phi": _PHI,
})  # fmt: skip
"""Last parts of the names of all linear layers, by transformers' ``model_type``; a test reads them there."""


def layers_of(architecture: str | None) -> tuple[str, ...] | None:
    """Return the names of an architecture's linear layers; None where they are not known here."""
    return _LAYERS.get(architecture or "")


def architecture_of(name: str | None, folder: str | None) -> str | None:
    """Return the ``model_type`` of a model by its well-known name, or by its configuration in a folder."""
    known = known_models().get(name or "")
    if known is not None:
        return str(known["config"]["model_type"])
    place = folder or (name if name and name[0] in "/.~" else None)
    if place is None:
        return None
    try:
        config = json.loads((Path(place).expanduser() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return None
    found = config.get("model_type") if isinstance(config, dict) else None
    return found if isinstance(found, str) else None
