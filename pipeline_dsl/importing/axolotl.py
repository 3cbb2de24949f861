"""Configs of axolotl."""

from __future__ import annotations

from pipeline_dsl.importing.asides import ASIDES, PACKED, PACKING
from pipeline_dsl.importing.axolotl_data import teaching
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.course import Words, saving, scoring, steps
from pipeline_dsl.importing.draft import Draft, Said
from pipeline_dsl.importing.lora import SAVED, Keys, adapter, bits, look_at_fused, model_name
from pipeline_dsl.importing.mixing import mixture
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import Setting, carry, default
from pipeline_dsl.importing.single import single_phase, top_of
from pipeline_dsl.importing.tools import Tool

NAME = "axolotl"
_WORDS = Words(
    tool=NAME,
    batch="micro_batch_size",
    epochs="num_epochs",
    optimizer="optimizer",
    scheduler="lr_scheduler",
    defaults={
        "epochs": 1,
        "batch_size": 1,
        "lr_scheduler": "cosine",
        "optimizer": "adamw_torch_fused",
        "warmup_ratio": 0.03,
        "save_steps": "epoch",
    },
    warmup_remark=": 3 % of the steps, there at most 100",
    save_limit=4,
)
_KEYS = Keys(tool=NAME, rslora="peft_use_rslora", dora="peft_use_dora", default_dropout=0.0)
_OTHER_TRAININGS = {
    "rl": "preferences and rewards are not learned here: a recipe trains on prompts and completions",
    "reward_model": "a reward model is no language model: a recipe trains on prompts and completions",
    "process_reward_model": "a reward model is no language model: a recipe trains on prompts and completions",
    "relora": "ReLoRA merges as it goes; phases with `merge` in their stacks do that at chosen points",
}
_ASIDES = {
    "model_type": "the class follows from the model's own configuration",
    "tokenizer_type": "the tokenizer is the model's own",
    "tokenizer_config": "the tokenizer is the model's own",
    "tokenizer_use_fast": "the tokenizer is the model's own",
    "is_*_derived_model": "the class follows from the model's own configuration",
    "strict": "unknown keys are always refused in a recipe",
    "chat_template": "`instruction` and `conversation` go through the model's own chat template",
    "chat_template_jinja": "a recipe takes the model's own chat template",
    "default_system_message": "`system` is an option of the template `instruction`",
    "lora_modules_to_save": SAVED,
    "lora_target_parameters": "adapters sit on linear layers",
    "lora_fan_in_fan_out": "follows from the kind of layer",
    "lora_mlp_kernel": "changes speed, not what is learned",
    "lora_qkv_kernel": "changes speed, not what is learned",
    "lora_o_kernel": "changes speed, not what is learned",
    "lora_on_cpu": "changes memory, not what is learned",
    "peft_layers_*": "adapters sit on all layers of the named kinds",
    "loftq_config": "first weights are `true`, `gaussian`, `olora` or `pissa` (option `init`)",
    "special_tokens": "the model's own marks are kept; padding is masked by length, whatever its token",
    "added_tokens_overrides": "reserved tokens keep their ids; `model.add_tokens` adds new ones",
    "pad_to_sequence_len": "padding is masked and does not change what is learned",
    "eval_sample_packing": PACKING,
    "sample_packing_*": PACKING,
    "multipack_real_batches": PACKING,
    "batch_flattening": PACKING,
    "xformers_attention": "`attn_implementation` is auto, sdpa, eager or flash_attention_2",
    "flex_attention": "`attn_implementation` is auto, sdpa, eager or flash_attention_2",
    "s2_attention": "shifted attention changes the model; it has no counterpart",
    "shuffle_merged_datasets": "samples are shuffled anew in each epoch, by the seed",
    "dataset_exact_deduplication": "equal rows are kept; `split` keeps them in one part",
    "eval_table_size": "a run keeps its figures; predictions are scored by tasks",
    "eval_max_new_tokens": "an option of metrics that generate",
    "plugins": "plugins of another tool",
    "gpu_memory_limit": "a device is used as a whole",
    "loss_watchdog_*": 'a hook with `when: "loss > 5"` and `do: stop` does this',
}


def make(reader: Reader, places: Places, name: str) -> Draft:
    """Make a draft of an axolotl config."""
    reader.leave_all(ASIDES | _ASIDES)
    _refuse(reader)
    model = _model(reader, places)
    lora = _adapter(reader)
    look_at_fused(reader, str(model.get("name", Said(value="")).value), lora)
    lessons = teaching(reader, places)
    mixed = mixture(lessons.taught, lessons.held_out, lessons.share, NAME, reader.ledger)
    tasks = tuple(str(task.cells[0]) for task in mixed.tasks)
    kept = saving(reader, _WORDS)
    hooks = (*scoring(reader, _WORDS, tasks), *kept.hooks, *_saves_per_epoch(reader))
    return single_phase(
        top=top_of(name, reader.whole("seed", least=0), NAME) | _device(reader),
        model=model,
        adapter=lora,
        templates=lessons.templates,
        mixture=mixed,
        train=steps(reader, _WORDS) | _train(reader) | kept.train,
        hooks=hooks,
    )


def _refuse(reader: Reader) -> None:
    for key, why in _OTHER_TRAININGS.items():
        if reader.has(key) and reader.text(key) not in ("false", "False"):
            reader.refuse(Code.NO_LORA, f"`{key}` asks for another kind of training", key, why)
    how = reader.text("adapter")
    if how not in ("lora", "qlora"):
        message = (
            "the config trains all weights: it has no `adapter`"
            if how is None
            else f"no adapter `{how[:30]}`"
        )
        reader.refuse(
            Code.NO_LORA, message, "adapter", "write `adapter: lora` or `adapter: qlora`, and its lora_* keys"
        )
    if reader.has("lora_model_dir"):
        help_ = (
            "train it with a recipe, as an earlier phase; an adapter belongs to the base that it was made on"
        )
        reader.refuse(
            Code.NO_LORA, "the training goes on with a LoRA from elsewhere", "lora_model_dir", help_
        )
    if reader.has("processor_type"):
        help_ = "leave `processor_type` and the images out to teach the text part alone"
        reader.refuse(Code.NO_LORA, "the training is on images or sound as well", "processor_type", help_)
    if not reader.has("learning_rate"):
        message, help_ = "the config has no `learning_rate`, which axolotl needs", "add it to the config"
        reader.ledger.error(Code.MISSING, message, None, help=help_)


def _model(reader: Reader, places: Places) -> dict[str, Said]:
    block = model_name(reader, "base_model", places)
    if reader.has("base_model_config"):
        reader.leave("base_model_config", "the configuration is the model's own")
    revision = reader.text("revision_of_model") or reader.text("base_model_revision")
    if revision:
        block["revision"] = Said(value=revision)
    found = bits(reader)
    block["dtype"] = _dtype(reader, found)
    if found:
        block["quantization"] = Said(value=found)
    if found == "nf4":
        block["double_quant"] = default(value=True, tool=NAME)
    reader.leave(
        "bnb_config_kwargs", "4-bit bases are nf4 with `double_quant: true`, as axolotl's default is"
    )
    block |= _attention(reader)
    tokens = reader.texts("tokens")
    if tokens:
        block["add_tokens"] = Said(
            value=list(tokens), remark="their rows are trained by `train_new_tokens` alone"
        )
    return block


def _dtype(reader: Reader, found: str | None) -> Said:
    bf16, half = reader.text("bf16"), reader.flag("fp16") or reader.flag("float16")
    plain = reader.flag("bfloat16")
    reader.flag("float32")
    if bf16 == "auto" or (bf16 is None and not half and not plain):
        return Said(value="auto", remark="`bf16: auto`: bfloat16 where the device has it")
    if plain or (bf16 or "").lower() in ("true", "full", "yes", "on"):
        return Said(value="bfloat16")
    if half or found == "int8":
        return Said(value="float16")
    return Said(value="float32")


def _attention(reader: Reader) -> dict[str, Said]:
    flash, eager = reader.flag("flash_attention"), reader.flag("eager_attention")
    reader.flag("sdp_attention")
    named = reader.text("attn_implementation")
    if named in ("sdpa", "eager", "flash_attention_2"):
        return {"attn_implementation": Said(value=named)}
    reader.leave("attn_implementation", "`attn_implementation` is auto, sdpa, eager or flash_attention_2")
    if flash:
        return {
            "attn_implementation": Said(
                value="flash_attention_2", remark="needs flash-attn; sdpa computes the same"
            )
        }
    return {"attn_implementation": Said(value="eager")} if eager else {}


def _adapter(reader: Reader) -> dict[str, Said]:
    for key in ("lora_r", "lora_alpha"):
        if not reader.has(key) and reader.has("adapter"):
            reader.ledger.error(
                Code.MISSING, f"the config has no `{key}`", None, help="axolotl needs it as well"
            )
    block = adapter(reader, _KEYS)
    if reader.flag("lora_target_linear"):
        reader.leave("lora_target_modules", "`lora_target_linear` takes all linear layers, these among them")
        block["target_modules"] = Said(value="all-linear")
    init = reader.text("peft_init_lora_weights")
    if init in ("gaussian", "olora", "pissa"):
        block["init"] = Said(value=init)
    elif init is not None and init.lower() != "true":
        reader.leave("peft_init_lora_weights", "first weights are `true`, `gaussian`, `olora` or `pissa`")
    reader.leave("peft_trainable_token_indices", "`train_new_tokens: true` trains the rows of added tokens")
    return block


def _train(reader: Reader) -> dict[str, Said]:
    found = carry(
        reader,
        [
            Setting(key="sequence_len", option="max_length", type="whole", default=512, least=2),
            Setting(key="group_by_length", option="group_by_length", type="flag", default=False),
        ],
        NAME,
    )
    over = reader.text("excess_length_strategy")
    found["overflow"] = _overflow(reader, over)
    checkpointing = reader.text("gradient_checkpointing")
    if checkpointing is not None:
        on = checkpointing.lower() not in ("false", "no", "off")
        word = f"`{checkpointing[:20]}` there" if checkpointing.startswith("offload") else ""
        found["gradient_checkpointing"] = Said(value=on, remark=word)
    if reader.flag("train_on_inputs"):
        found["loss"] = Said(value="all", remark="`train_on_inputs: true`")
    if reader.flag("sample_packing"):
        reader.leave("sample_packing", PACKING)
        reader.ledger.look_at(f"sample_packing: {PACKED.format(batch='micro_batch_size')}")
    total = reader.whole("batch_size", least=1)
    micro = reader.whole("micro_batch_size", least=1) or 1
    if total and not reader.has("gradient_accumulation_steps"):
        found["grad_accum"] = Said(
            value=max(1, total // micro), remark=f"`batch_size: {total}` in all, of one device"
        )
    elif total:
        reader.leave(
            "batch_size", "the effective batch is micro_batch_size times gradient_accumulation_steps"
        )
    return found


def _overflow(reader: Reader, how: str | None) -> Said:
    if how == "raise":
        return Said(value="error")
    if how == "truncate":
        reader.leave(
            "excess_length_strategy", "a completion is never cut: longer samples are left out, or `error`"
        )
        return Said(value="drop", remark="there they are cut at the end")
    return Said(value="drop", remark="" if how else f"{NAME} leaves longer samples out")


def _device(reader: Reader) -> dict[str, Said]:
    named = reader.text("device")
    if named is None:
        return {}
    return {"device": Said(value="cuda:0" if named == "cuda" else named)}


def _saves_per_epoch(reader: Reader) -> tuple[()]:
    if reader.whole("saves_per_epoch", least=1) not in (None, 1):
        reader.leave(
            "saves_per_epoch", "write `save_steps`, once `medrecipe plan` shows the steps of an epoch"
        )
    return ()


TOOL = Tool(
    name=NAME,
    title=NAME,
    tells=(
        "base_model", "micro_batch_size", "sequence_len", "num_epochs", "adapter", "lora_target_linear",
        "val_set_size", "sample_packing", "dataset_prepared_path", "lora_model_dir", "saves_per_epoch",
        "evals_per_epoch", "flash_attention", "train_on_inputs", "peft_use_rslora", "peft_use_dora",
        "special_tokens",
    ),
    make=make,
)  # fmt: skip
