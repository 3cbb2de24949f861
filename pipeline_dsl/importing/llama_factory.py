"""Configs of LLaMA-Factory."""

from __future__ import annotations

from pipeline_dsl.importing.asides import ASIDES, PACKED, PACKING
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.course import Words, saving, scoring, steps
from pipeline_dsl.importing.draft import Draft, Said
from pipeline_dsl.importing.llama_factory_data import teaching
from pipeline_dsl.importing.lora import SAVED, Keys, adapter, look_at_fused, model_name
from pipeline_dsl.importing.mixing import mixture
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import Setting, carry, default
from pipeline_dsl.importing.single import single_phase, top_of
from pipeline_dsl.importing.tools import Tool

NAME = "llama-factory"
TITLE = "LLaMA-Factory"
_WORDS = Words(
    tool=TITLE,
    early_stop="early_stopping_steps",
    defaults={
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 5e-5,
        "lr_scheduler": "linear",
        "optimizer": "adamw_torch",
        "save_steps": 500,
    },
    eval_steps=500,
)
_KEYS = Keys(
    tool=TITLE, r="lora_rank", targets="lora_target", default_r=8, default_dropout=0.0,
    default_targets="all-linear",
)  # fmt: skip
_TEXT_PART = "adapters sit on the text part unless `vision_tower: true` says otherwise"
_ASIDES = {
    "media_dir": "rows are text",
    "image_*": "rows are text",
    "video_*": "rows are text",
    "audio_*": "rows are text",
    "freeze_multi_modal_projector": _TEXT_PART,
    "freeze_vision_tower": _TEXT_PART,
    "additional_target": SAVED,
    "add_special_tokens": "`model.add_tokens` takes pieces of text; the model's own marks are kept",
    "new_special_tokens_config": "rows of added tokens start as the mean of their old pieces",
    "init_special_tokens": "rows of added tokens start as the mean of their old pieces",
    "use_fast_tokenizer": "the tokenizer is the model's own",
    "split_special_tokens": "marks in the rows are refused",
    "low_cpu_mem_usage": "loading is the model's provider's",
    "rope_scaling": "the model is taken as it is",
    "shift_attn": "shifted attention changes the model; it has no counterpart",
    "upcast_*": "number formats are the model's provider's",
    "pissa_iter": "`init: pissa` takes the exact decomposition",
    "pissa_convert": "an adapter with `init: pissa` is always written as plain LoRA of twice the rank",
    "quantization_device_map": "`device` says where",
    "quantization_method": "bases of fewer bits go through bitsandbytes",
    "mask_history": "rows have one turn",
    "tool_format": "no template has tools",
    "ignore_pad_token_for_loss": "padding is never learned",
    "ray_*": "a phase trains in one process, on one device",
    "infer_*": "importing is about training",
    "export_*": "importing is about training",
    "generating_*": "importing is about training",
    "max_new_tokens": "an option of metrics that generate",
    "top_p": "generation is greedy",
    "temperature": "generation is greedy",
    "packing": PACKING,
    "neat_packing": PACKING,
    "create_new_adapter": "an adapter is made new by `train` in a stack",
    "enable_thinking": "the chat template is the model's own, as it is",
}
_FULL = "write `finetuning_type: lora`, or keep LLaMA-Factory for it: a recipe stacks LoRA adapters"
_ATTENTION = {"sdpa": "sdpa", "fa2": "flash_attention_2", "disabled": "eager"}


def make(reader: Reader, places: Places, name: str) -> Draft:
    """Make a draft of a LLaMA-Factory config."""
    reader.leave_all(ASIDES | _ASIDES)
    _refuse(reader)
    model = _model(reader, places)
    lora = _adapter(reader)
    look_at_fused(reader, str(model.get("name", Said(value="")).value), lora)
    lessons = teaching(reader, places, is_pretraining=reader.text("stage") == "pt")
    mixed = mixture(lessons.taught, lessons.held_out, lessons.share, TITLE, reader.ledger)
    tasks = tuple(str(task.cells[0]) for task in mixed.tasks)
    kept = saving(reader, _WORDS)
    return single_phase(
        top=top_of(name, reader.whole("seed", least=0), TITLE),
        model=model,
        adapter=lora,
        templates=lessons.templates,
        mixture=mixed,
        train=steps(reader, _WORDS) | _train(reader) | kept.train,
        hooks=(*scoring(reader, _WORDS, tasks), *kept.hooks),
    )


def _refuse(reader: Reader) -> None:
    stage = reader.text("stage") or "sft"
    if stage not in ("sft", "pt"):
        help_ = "only `sft` and `pt` are supervised training on text; keep LLaMA-Factory for the other stages"
        reader.refuse(Code.NO_LORA, f"the stage `{stage[:20]}` is no supervised training", "stage", help_)
    how = reader.text("finetuning_type") or "lora"
    if how != "lora":
        reader.refuse(Code.NO_LORA, f"`finetuning_type: {how[:20]}` trains no LoRA", "finetuning_type", _FULL)
    for key in (
        "use_galore",
        "use_apollo",
        "use_badam",
        "use_llama_pro",
        "use_adam_mini",
        "train_from_scratch",
    ):
        if reader.flag(key):
            reader.refuse(Code.NO_LORA, f"`{key}` trains the model's own weights", key, _FULL)
    if reader.has("adapter_name_or_path"):
        help_ = (
            "train it with a recipe, as an earlier phase; an adapter belongs to the base that it was made on"
        )
        reader.refuse(
            Code.NO_LORA, "the training goes on with a LoRA from elsewhere", "adapter_name_or_path", help_
        )
    if reader.flag("do_train") is False:
        reader.refuse(
            Code.NO_LORA, "the config trains nothing (`do_train: false`)", "do_train", "import a training"
        )
    reader.leave_all({"do_train": ASIDES["do_train"]})


def _model(reader: Reader, places: Places) -> dict[str, Said]:
    block = model_name(reader, "model_name_or_path", places)
    block |= carry(reader, [Setting(key="model_revision", option="revision", type="text")], TITLE)
    block["dtype"] = _dtype(reader)
    block |= _bits(reader)
    named = reader.text("flash_attn")
    if named in _ATTENTION:
        block["attn_implementation"] = Said(value=_ATTENTION[named])
    elif named is not None:
        reader.leave("flash_attn", "`attn_implementation` is auto, sdpa, eager or flash_attention_2")
    tokens = reader.texts("add_tokens")
    if tokens:
        block["add_tokens"] = Said(
            value=list(tokens), remark="their rows are trained by `train_new_tokens` alone"
        )
    reader.leave("resize_vocab", "`model.add_tokens` and `add_tokens_from` make the room that they need")
    return block


def _dtype(reader: Reader) -> Said:
    if reader.flag("bf16") or reader.flag("pure_bf16"):
        return Said(value="bfloat16")
    if reader.flag("fp16"):
        return Said(value="float16")
    return default("auto", TITLE, ": as the model was saved; here bfloat16 where the device has it")


def _bits(reader: Reader) -> dict[str, Said]:
    wanted = reader.whole("quantization_bit", least=2)
    kind, double = reader.text("quantization_type") or "nf4", reader.flag("double_quantization")
    method = reader.text("quantization_method")
    if wanted is None:
        return {}
    if method not in (None, "bnb", "bitsandbytes"):
        help_ = "a recipe's base has its own bits, or nf4, fp4 or int8 through bitsandbytes"
        reader.refuse(
            Code.WRONG_VALUE, f"no base is quantised by `{method[:20]}`", "quantization_method", help_
        )
    if wanted not in (4, 8) or kind not in ("nf4", "fp4"):
        help_ = "write 4 (nf4 or fp4) or 8"
        reader.refuse(Code.WRONG_VALUE, f"no base has {wanted} bits of this kind", "quantization_bit", help_)
    if wanted != 4:  # noqa: PLR2004 - bits
        reader.leave("double_quantization", "only 4-bit weights have scales to quantise")
        reader.leave("quantization_type", "only 4-bit weights have a kind")
        return {"quantization": Said(value="int8")}
    scales = Said(value=double) if double is not None else default(value=True, tool=TITLE)
    return {"quantization": Said(value=kind), "double_quant": scales}


def _adapter(reader: Reader) -> dict[str, Said]:
    block = adapter(reader, _KEYS)
    if "alpha" not in block and isinstance(block["r"].value, int):
        block["alpha"] = default(2 * block["r"].value, TITLE, ": twice the rank")
    if reader.flag("pissa_init"):
        block["init"] = Said(value="pissa")
    return block


def _train(reader: Reader) -> dict[str, Said]:
    found = carry(
        reader,
        [
            Setting(key="cutoff_len", option="max_length", type="whole", default=2048, least=2),
            Setting(key="group_by_length", option="group_by_length", type="flag", default=False),
        ],
        TITLE,
    )
    found["overflow"] = Said(
        value="error", remark="there longer samples are cut; here choose drop or truncate_prompt"
    )
    on, off = reader.flag("gradient_checkpointing"), reader.flag("disable_gradient_checkpointing")
    if off is not None or on is not None:
        found["gradient_checkpointing"] = Said(value=not off if off is not None else bool(on))
    else:
        found["gradient_checkpointing"] = default(value=True, tool=TITLE)
    if reader.flag("train_on_prompt"):
        found["loss"] = Said(value="all", remark="`train_on_prompt: true`")
    if reader.flag("packing") or reader.flag("neat_packing"):
        reader.leave_all({"packing": PACKING, "neat_packing": PACKING})
        reader.ledger.look_at(f"packing: {PACKED.format(batch='per_device_train_batch_size')}")
    reader.leave_all({"packing": PACKING, "neat_packing": PACKING})
    return found


TOOL = Tool(
    name=NAME,
    title=TITLE,
    tells=(
        "stage", "finetuning_type", "cutoff_len", "template", "lora_target", "lora_rank", "dataset_dir",
        "quantization_bit", "val_size", "adapter_name_or_path", "overwrite_cache",
        "preprocessing_num_workers", "plot_loss", "train_on_prompt", "eval_dataset", "max_samples",
    ),
    make=make,
)  # fmt: skip
