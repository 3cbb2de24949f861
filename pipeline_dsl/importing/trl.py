"""Configs of TRL's ``trl sft --config``."""

from __future__ import annotations

from pipeline_dsl.importing.asides import ASIDES, PACKED, PACKING
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
from pipeline_dsl.importing.trl_data import teaching

NAME = "trl"
TITLE = "TRL"
_WORDS = Words(
    tool=TITLE,
    defaults={
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 2e-5,
        "lr_scheduler": "linear",
        "optimizer": "adamw_torch_fused",
        "save_steps": 500,
    },
    eval_steps=10,
)
_KEYS = Keys(tool=TITLE, default_r=16, default_alpha=32, default_dropout=0.05)
_TWO = ["q_proj", "v_proj"]
_PEFT_TARGETS = {
    "llama": _TWO,
    "mistral": _TWO,
    "mixtral": _TWO,
    "gemma": _TWO,
    "qwen": _TWO,
    "phi-2": ["q_proj", "v_proj", "fc1", "fc2"],
    "phi-1": ["q_proj", "v_proj", "fc1", "fc2"],
}
"""What PEFT takes for an architecture where nobody names layers, by a word in the model's name."""
_ASIDES = {
    "lora_modules_to_save": SAVED,
    "lora_target_parameters": "adapters sit on linear layers",
    "lora_task_type": "a base is a causal language model",
    "bnb_4bit_quant_storage": "how 4-bit weights are stored changes nothing that is learned",
    "router_aux_loss_coef": "the loss is plain cross-entropy",
    "loss_type": "the loss is plain cross-entropy",
    "chat_template_path": "a recipe takes the model's own chat template",
    "dataset_kwargs": "the template says the form of rows",
    "eos_token": "the model's own marks are kept",
    "pad_token": "padding is masked by length, whatever its token",
    "truncation_mode": "a completion is never cut; `overflow` says what becomes of longer samples",
    "shuffle_dataset": "samples are shuffled anew in each epoch, by the seed",
    "packing": PACKING,
    "packing_strategy": PACKING,
    "eval_packing": PACKING,
    "padding_free": PACKING,
    "pad_to_multiple_of": "padding is masked and does not change what is learned",
    "ignore_bias_buffers": "a phase trains in one process, on one device",
    "train_sampling_strategy": "`group_by_length` is said above; other orders are the seed's",
    "length_column_name": "lengths are those of the prepared samples",
    "num_of_sequences": PACKING,
    "chars_per_token": PACKING,
    "model_init_kwargs": "a base has `dtype`, `attn_implementation`, `quantization`, `revision`",
}
_PREFERENCES = (
    "beta", "reward_model_name_or_path", "reward_funcs", "num_generations", "max_prompt_length",
    "desirable_weight", "undesirable_weight", "ref_model", "teacher_model_name_or_path",
    "max_completion_length",
)  # fmt: skip


def make(reader: Reader, places: Places, name: str) -> Draft:
    """Make a draft of a config of TRL's supervised fine-tuning."""
    reader.leave_all(ASIDES | _ASIDES)
    _refuse(reader)
    model = _model(reader, places)
    named = str(model.get("name", Said(value="")).value)
    lora = adapter(reader, _KEYS)
    if lora["target_modules"].value is None:
        lora["target_modules"] = _usual_targets(named)
    look_at_fused(reader, named, lora)
    lessons = teaching(reader, places)
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
    for key in _PREFERENCES:
        if reader.has(key):
            help_ = "only `trl sft` is supervised training; keep TRL for the others"
            reader.refuse(Code.NO_LORA, f"`{key}` is of another kind of training", key, help_)
    if not reader.flag("use_peft"):
        help_ = "write `use_peft: true`, with lora_r and lora_alpha: a recipe stacks LoRA adapters"
        message = "the config trains all weights (`use_peft` is not true)"
        reader.refuse(Code.NO_LORA, message, "use_peft", help_)


def _model(reader: Reader, places: Places) -> dict[str, Said]:
    block = model_name(reader, "model_name_or_path", places)
    block |= carry(reader, [Setting(key="model_revision", option="revision", type="text")], TITLE)
    block["dtype"] = _dtype(reader)
    found, kind, double = (
        bits(reader),
        reader.text("bnb_4bit_quant_type"),
        reader.flag("use_bnb_nested_quant"),
    )
    if found == "nf4":
        block["quantization"] = Said(value=kind or "nf4")
        block["double_quant"] = Said(value=double) if double is not None else default(value=False, tool=TITLE)
    elif found:
        block["quantization"] = Said(value=found)
    if found != "nf4":
        reader.leave_all({"bnb_4bit_quant_type": "only 4-bit weights have a kind"})
        reader.leave_all({"use_bnb_nested_quant": "only 4-bit weights have scales to quantise"})
    named = reader.text("attn_implementation")
    if named in ("sdpa", "eager", "flash_attention_2"):
        block["attn_implementation"] = Said(value=named)
    elif named is not None:
        reader.leave(
            "attn_implementation",
            "`attn_implementation` is auto, sdpa, eager or flash_attention_2",
        )
    return block


def _dtype(reader: Reader) -> Said:
    named = reader.text("dtype") or reader.text("torch_dtype")
    mixed, half = reader.flag("bf16"), reader.flag("fp16")
    if named in ("auto", "float32", "bfloat16", "float16"):
        if mixed and named == "float32":
            reader.leave(
                "bf16", "weights are computed with as they are kept: `dtype: bfloat16` has both in 16 bits"
            )
        if half and named != "float16":
            reader.leave("fp16", "weights are computed with as they are kept")
        return Said(value=named)
    if named is not None:
        help_ = "write auto, float32, bfloat16 or float16"
        key = "dtype" if reader.has("dtype") else "torch_dtype"
        reader.refuse(Code.WRONG_VALUE, f"no base has the dtype `{named[:20]}`", key, help_)
    if half:
        return Said(value="float16", remark="`fp16: true`; TRL keeps weights in 32 bits and computes in 16")
    if mixed is False:
        return default("float32", TITLE)
    why = "`bf16: true`" if mixed else "TRL's default"
    return Said(value="bfloat16", remark=f"{why}: TRL keeps weights in 32 bits and computes in bfloat16")


def _usual_targets(model: str) -> Said:
    """PEFT's own choice for the architecture."""
    known = next((value for word, value in _PEFT_TARGETS.items() if word in model.lower()), None)
    if known is None or "phi-3" in model.lower():
        return Said(value=None, remark="the config names none; here the attention projections are taken")
    return Said(value=list(known), remark="PEFT's default for this architecture")


def _train(reader: Reader) -> dict[str, Said]:
    found = carry(
        reader,
        [Setting(key="gradient_checkpointing", option="gradient_checkpointing", type="flag", default=True)],
        TITLE,
    )
    length, older = reader.whole("max_length", least=2), reader.whole("max_seq_length", least=2)
    if length is not None:
        reader.leave("max_seq_length", "`max_length` is its newer name, and is given too")
    length = length if length is not None else older
    found["max_length"] = Said(value=length) if length else default(1024, TITLE)
    found["overflow"] = Said(
        value="error", remark="there longer samples are cut; here choose drop or truncate_prompt"
    )
    by_length = reader.flag("group_by_length")
    if reader.text("train_sampling_strategy") == "group_by_length":
        by_length = True
    else:
        reader.leave("train_sampling_strategy", _ASIDES["train_sampling_strategy"])
    found["group_by_length"] = (
        Said(value=by_length) if by_length is not None else default(value=False, tool=TITLE)
    )
    if reader.flag("packing"):
        reader.ledger.look_at(f"packing: {PACKED.format(batch='per_device_train_batch_size')}")
    reader.leave("packing", PACKING)
    if reader.flag("completion_only_loss") is False:
        found["loss"] = Said(value="all", remark="`completion_only_loss: false`")
    return found


TOOL = Tool(
    name=NAME,
    title=f"{TITLE}'s SFT",
    tells=(
        "dataset_name", "use_peft", "dataset_text_field", "max_seq_length", "assistant_only_loss",
        "completion_only_loss", "dataset_config", "dataset_train_split", "dataset_test_split",
        "dataset_streaming", "lora_task_type", "use_bnb_nested_quant", "bnb_4bit_quant_type",
        "packing_strategy", "test_split_size",
    ),
    make=make,
)  # fmt: skip
