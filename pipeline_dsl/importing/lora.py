"""The adapter and the bits of the base, in PEFT's and bitsandbytes' words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Said
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import Setting, carry, default
from pipeline_dsl.syntax.nodes import Value

SAVED = (
    "whole modules are not trained; `train_new_tokens: true` in the adapter trains the rows of added tokens"
)
NO_TARGET = "the config names none: the attention projections of the architecture are taken"
_EVERYTHING = ("all-linear", "all", "all_linear")
_FUSED = ("phi-3", "phi3", "phi-4", "phi4")
_ONE_LAYER: Final[Mapping[str, str]] = MappingProxyType({
    "q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj", "up_proj": "gate_up_proj",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What one tool calls the options of an adapter, and what it takes where they are not said."""

    tool: str
    r: str = "lora_r"
    targets: str = "lora_target_modules"
    rslora: str = "use_rslora"
    dora: str = "use_dora"
    default_r: int | None = None
    default_alpha: int | None = None
    default_dropout: float | None = None
    default_targets: Value = None


def adapter(reader: Reader, keys: Keys) -> dict[str, Said]:
    """The block of an adapter."""
    block = {"use": Said(value="lora")}
    settings = [
        Setting(key=keys.r, option="r", type="whole", default=keys.default_r, least=1),
        Setting(key="lora_alpha", option="alpha", type="whole", default=keys.default_alpha, least=1),
        Setting(key="lora_dropout", option="dropout", type="number", default=keys.default_dropout, least=0),
        Setting(key=keys.rslora, option="use_rslora", type="flag"),
        Setting(key=keys.dora, option="use_dora", type="flag"),
    ]
    block |= carry(reader, settings, keys.tool)
    block["target_modules"] = targets(reader, keys)
    return block


def targets(reader: Reader, keys: Keys) -> Said:
    """The layers that an adapter sits on."""
    named = reader.texts(keys.targets)
    if named and len(named) == 1 and named[0] in _EVERYTHING:
        return Said(value="all-linear")
    if named:
        return Said(value=list(named))
    if keys.default_targets is not None:
        return default(keys.default_targets, keys.tool)
    return Said(value=None, remark=NO_TARGET)


def look_at_fused(reader: Reader, model: str, adapter: dict[str, Said]) -> None:
    """Write the one layer that Phi-3's architecture has where a config names several, and say so."""
    named = adapter["target_modules"].value
    if isinstance(named, list) and "q_proj" in named and any(word in model.lower() for word in _FUSED):
        names = dict.fromkeys(_ONE_LAYER.get(str(name), str(name)) for name in named)
        fused: Value = [*names]
        adapter["target_modules"] = replace(adapter["target_modules"], value=fused)
        reader.ledger.look_at(
            "target_modules: Phi-3's architecture has `qkv_proj` in place of q_proj, k_proj and v_proj, and "
            "`gate_up_proj` in place of gate_proj and up_proj; these stand here"
        )


def bits(reader: Reader, four: str = "load_in_4bit", eight: str = "load_in_8bit") -> str | None:
    """``nf4``, ``int8`` or None, by two flags."""
    has_four, has_eight = reader.flag(four), reader.flag(eight)
    if has_four and has_eight:
        reader.refuse(Code.WRONG_VALUE, f"`{four}` and `{eight}` cannot both be true", eight, "choose one")
    return "nf4" if has_four else "int8" if has_eight else None


def model_name(reader: Reader, key: str, places: Places) -> dict[str, Said]:
    """The block of a model by its name on the hub or its folder."""
    name = reader.text(key)
    if not name:
        message = f"the config names no base model (`{key}`)"
        reader.ledger.error(Code.MISSING, message, None, help=f"add `{key}: owner/name` to the config")
        return {"use": Said(value="causal_lm")}
    if name.startswith(("/", "./", "../", "~")) or places.is_folder(name):
        return {"use": Said(value="causal_lm"), "folder": Said(value=places.written(name))}
    return {"use": Said(value="causal_lm"), "name": Said(value=name)}
