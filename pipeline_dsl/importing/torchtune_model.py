"""The model of a torchtune config: a builder's name, a checkpoint's folder, LoRA's places by its names."""

from __future__ import annotations

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.detection import COMPONENT
from pipeline_dsl.importing.draft import Said
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import Setting, carry, default

_ATTENTION = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "output_proj": "o_proj"}
_MLP = ["gate_proj", "up_proj", "down_proj"]
_FUSED = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
}
_CHECKPOINTER = {
    COMPONENT: "a base is read in the hub's layout",
    "checkpoint_files": "all files of the folder belong to the base",
    "recipe_checkpoint": "`medrecipe run --resume RUN` goes on with a run of its own",
    "output_dir": "a run writes into runs/PROJECT/RUN/",
    "model_type": "the class follows from the model's own configuration",
    "safe_serialization": "adapters are always written as safetensors",
    "keep_last_n_checkpoints": "`save_total_limit` keeps checkpoints, where `save_steps` writes any",
}


def model(reader: Reader, places: Places) -> dict[str, Said]:
    """The base: the folder that the checkpointer reads."""
    block = reader.inner("checkpointer")
    folder = block.text("checkpoint_dir") if block else None
    if block is None or folder is None:
        message = "the config names no base model (`checkpointer.checkpoint_dir`)"
        reader.ledger.error(Code.MISSING, message, None, help="torchtune needs it as well")
        return {"use": Said(value="causal_lm")}
    block.leave_all(_CHECKPOINTER)
    if block.has("adapter_checkpoint"):
        help_ = "train it with a recipe, as an earlier phase"
        block.refuse(
            Code.NO_LORA, "the training goes on with a LoRA from elsewhere", "adapter_checkpoint", help_
        )
    folder = folder.rstrip("/") or "/"
    words = "or `name: owner/name`, which fetches it from the hub"
    reader.ledger.look_at(
        "model.folder: what `tune download` left; `name: owner/name` in its place takes it from the hub"
    )
    found = {"use": Said(value="causal_lm"), "folder": Said(value=places.written(folder), remark=words)}
    return found | _bits(reader)


def _bits(reader: Reader) -> dict[str, Said]:
    builder = reader.inner("model")
    if builder is None:
        return {}
    named = (builder.text(COMPONENT) or "").rpartition(".")[2]
    if builder.flag("quantize_base") or named.startswith(("qlora_", "qdora_")):
        return {
            "quantization": Said(value="nf4"),
            "double_quant": default(value=True, tool="torchtune", more=": scales of NF4 are quantised too"),
        }
    return {}


def adapter(reader: Reader) -> dict[str, Said]:
    """The adapter that the builder puts on."""
    found = {"use": Said(value="lora")}
    builder = reader.inner("model")
    if builder is None:
        return found
    named = builder.text(COMPONENT) or ""
    settings = [
        Setting(key="lora_rank", option="r", type="whole", default=8, least=1),
        Setting(key="lora_alpha", option="alpha", type="whole", default=16, least=1),
        Setting(key="lora_dropout", option="dropout", type="number", default=0.0, least=0),
        Setting(key="use_dora", option="use_dora", type="flag"),
    ]
    found |= carry(builder, settings, "torchtune")
    if named.rpartition(".")[2].startswith(("dora_", "qdora_")):
        found["use_dora"] = Said(value=True)
    found["target_modules"] = _targets(builder, is_fused="phi3" in named or "phi4" in named)
    builder.leave("apply_lora_to_output", "no adapter sits on the output layer")
    return found


def _targets(builder: Reader, *, is_fused: bool) -> Said:
    names = [_ATTENTION.get(name, name) for name in builder.texts("lora_attn_modules") or ()]
    if builder.flag("apply_lora_to_mlp"):
        names += _MLP
    if not names:
        help_ = "write lora_attn_modules, as torchtune needs it"
        builder.ledger.error(Code.MISSING, "the config names no layers for LoRA", builder.span, help=help_)
    if is_fused:
        names = list(dict.fromkeys(_FUSED.get(name, name) for name in names))
        return Said(
            value=list(names), remark="Phi-3 has q, k, v and gate, up in one layer each, with one LoRA"
        )
    return Said(value=list(names))
