"""Configs of torchtune's LoRA recipes."""

from __future__ import annotations

from pipeline_dsl.importing.asides import ASIDES
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.detection import COMPONENT
from pipeline_dsl.importing.draft import Draft, Line, Said
from pipeline_dsl.importing.mixing import mixture
from pipeline_dsl.importing.overlays import resolved
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import default
from pipeline_dsl.importing.single import single_phase, top_of
from pipeline_dsl.importing.tools import Tool
from pipeline_dsl.importing.torchtune_data import teaching
from pipeline_dsl.importing.torchtune_model import adapter, model

NAME = "torchtune"
_FOLDER = "a run writes into runs/PROJECT/RUN/; `project: NAME` names the folder"
_LOGGED = "each run keeps its history in runs/ (metrics.jsonl, metadata.sdn)"
_ASIDES = {
    "output_dir": _FOLDER,
    "metric_logger": _LOGGED,
    "log_*": _LOGGED,
    "profiler": "runs are not profiled",
    "loss": "the loss is the mean cross-entropy of the label tokens of a step",
    "compile": "changes speed, not what is learned",
    "enable_activation_offloading": "changes memory, not what is learned",
    "optimizer_in_bwd": "changes memory, not what is learned",
    "use_clipping": "`max_grad_norm` clips",
    "custom_sharded_layers": "a phase trains in one process, on one device",
    "fsdp*": "a phase trains in one process, on one device",
    "tensor_parallel*": "a phase trains in one process, on one device",
    "save_adapter_weights_only": "a phase always leaves its adapter alone, readable by stock PEFT",
    "should_load_recipe_state": "`medrecipe run --resume RUN` goes on with a run of its own",
    "cudnn_deterministic_mode": "a run is repeated from its seed",
    "enable_async_checkpointing": "checkpoints are written when a step is over",
    "collate_fn": "samples are padded, and padding is masked",
}
_OPTIMIZERS = {
    "AdamW": "adamw_torch",
    "PagedAdamW8bit": "paged_adamw_8bit",
    "AdamW8bit": "paged_adamw_8bit",
    "PagedAdamW": "adamw_torch",
    "SGD": "sgd",
}
_USUAL_DECAY = 0.01
"""torch.optim.AdamW's own."""
_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def make(reader: Reader, places: Places, name: str) -> Draft:
    """Make a draft of a config of torchtune."""
    reader = resolved(reader)
    reader.leave_all(_ASIDES | {"resume_from_checkpoint": ASIDES["resume_from_checkpoint"]})
    _refuse(reader)
    base = model(reader, places)
    base["dtype"] = _dtype(reader)
    lessons = teaching(reader, places)
    mixed = mixture(lessons.taught, lessons.held_out, lessons.share, NAME, reader.ledger)
    tasks = [str(task.cells[0]) for task in mixed.tasks]
    return single_phase(
        top=top_of(name, reader.whole("seed", least=0), NAME) | _device(reader),
        model=base,
        adapter=adapter(reader),
        templates=lessons.templates,
        mixture=mixed,
        train=_train(reader),
        hooks=_scoring(reader, tasks),
    )


def _refuse(reader: Reader) -> None:
    builder = reader.inner("model")
    named = (builder.text(COMPONENT) if builder else None) or ""
    if builder is None or not named:
        message = "the config builds no model (`model._component_`)"
        reader.ledger.error(
            Code.MISSING, message, None, help="import the config of one of torchtune's LoRA recipes"
        )
    elif not named.rpartition(".")[2].startswith(("lora_", "qlora_", "dora_", "qdora_")):
        help_ = "import a config whose model is built by lora_…, qlora_… or dora_…"
        builder.refuse(Code.NO_LORA, "the config trains all weights", COMPONENT, help_)
    if "vision" in named or "clip" in named:
        help_ = "import a config that teaches text"
        reader.refuse(Code.NO_LORA, "the training is on images as well", "model", help_)
    loss = reader.inner("loss")
    words = (loss.text(COMPONENT) if loss else None) or ""
    if any(word in words for word in ("DPO", "RSO", "SimPO", "PPO", "GRPO", "Distill", "KL")):
        help_ = "only supervised training on text is carried"
        reader.refuse(Code.NO_LORA, "the loss is that of another kind of training", "loss", help_)
    for key in ("teacher_model", "ref_checkpointer", "teacher_checkpointer", "reward_and_value_checkpointer"):
        if reader.has(key):
            help_ = "only supervised training on text is carried"
            reader.refuse(Code.NO_LORA, f"`{key}` is of another kind of training", key, help_)
    if loss is not None:
        loss.leave(COMPONENT, _ASIDES["loss"])


def _dtype(reader: Reader) -> Said:
    named = reader.text("dtype")
    if named is None:
        return default("float32", NAME)
    if named not in _DTYPES:
        help_ = "write bf16, fp16 or fp32"
        reader.refuse(Code.WRONG_VALUE, f"no base has the dtype `{named[:20]}`", "dtype", help_)
    return Said(value=_DTYPES.get(named, "auto"))


def _device(reader: Reader) -> dict[str, Said]:
    named = reader.text("device")
    if named is None:
        return {}
    return {"device": Said(value="cuda:0" if named == "cuda" else named)}


def _train(reader: Reader) -> dict[str, Said]:
    batch = reader.whole("batch_size", least=1)
    found = _length_of_training(reader)
    found["batch_size"] = Said(value=batch) if batch else default(1, NAME)
    found["grad_accum"] = Said(value=reader.whole("gradient_accumulation_steps", least=1) or 1)
    found |= _optimizer(reader) | _schedule(reader)
    clip = reader.number("clip_grad_norm", least=0)
    found["max_grad_norm"] = Said(value=clip) if clip else default(0, NAME, ": nothing is clipped")
    found |= _length_of_samples(reader)
    checkpointing = reader.flag("enable_activation_checkpointing")
    if checkpointing is not None:
        found["gradient_checkpointing"] = Said(value=checkpointing)
    found["group_by_length"] = Said(value=False, remark="samples are shuffled alone, as there")
    if reader.flag("shuffle") is False:
        reader.leave("shuffle", "samples are always shuffled, by the seed")
    if _learns_all(reader):
        found["loss"] = Said(value="all", remark="`train_on_input: true`, the default of alpaca_dataset")
    return found


def _learns_all(reader: Reader) -> bool:
    """Whether the first dataset learns its prompts too: Alpaca's does unless told otherwise."""
    blocks = reader.inners("dataset") if reader.has("dataset") else ()
    for block in blocks:
        said = block.flag("train_on_input")
        kind = block.text(COMPONENT) or ""
        if said or (said is None and "alpaca" in kind):
            return True
    return False


def _length_of_training(reader: Reader) -> dict[str, Said]:
    epochs, most = reader.whole("epochs", least=1) or 1, reader.whole("max_steps_per_epoch", least=1)
    if most is None:
        return {"epochs": Said(value=epochs)}
    words = f"`max_steps_per_epoch: {most}` times {epochs} epochs; there each epoch begins anew"
    return {"max_steps": Said(value=most * epochs, remark=words if epochs > 1 else "")}


def _optimizer(reader: Reader) -> dict[str, Said]:
    block = reader.inner("optimizer")
    if block is None:
        reader.ledger.error(
            Code.MISSING, "the config has no `optimizer`", None, help="torchtune needs it as well"
        )
        return {}
    kind = (block.text(COMPONENT) or "").rpartition(".")[2]
    found = {"learning_rate": Said(value=block.number("lr", least=0) or 1e-3)}
    if not block.has("lr"):
        found["learning_rate"] = Said(value=1e-3, remark="torch's default")
    fused = block.flag("fused")
    named = _OPTIMIZERS.get(kind)
    if named is None:
        block.leave(COMPONENT, "there is no such optimizer here, so adamw_torch stands above")
    found["optimizer"] = Said(
        value="adamw_torch_fused" if fused and kind == "AdamW" else named or "adamw_torch"
    )
    decay = block.number("weight_decay", least=0)
    found["weight_decay"] = (
        Said(value=decay) if decay is not None else Said(value=_USUAL_DECAY, remark="torch's default")
    )
    block.leave("foreach", "changes speed, not what is learned")
    return found | _betas(block)


def _betas(block: Reader) -> dict[str, Said]:
    found = {}
    betas = block.texts("betas")
    if betas and len(betas) == 2:  # noqa: PLR2004 - Adam has two
        try:
            found = {"adam_beta1": Said(value=float(betas[0])), "adam_beta2": Said(value=float(betas[1]))}
        except ValueError:
            block.refuse(
                Code.WRONG_VALUE, "`optimizer.betas` must be two numbers", "betas", "mend it in the config"
            )
    epsilon = block.number("eps")
    if epsilon is not None:
        found["adam_epsilon"] = Said(value=epsilon)
    return found


def _schedule(reader: Reader) -> dict[str, Said]:
    block = reader.inner("lr_scheduler")
    if block is None:
        return {"lr_scheduler": Said(value="constant", remark="the config has no `lr_scheduler`")}
    kind = block.text(COMPONENT) or ""
    warmup = block.whole("num_warmup_steps", least=0)
    cycles = block.number("num_cycles")
    found = {"lr_scheduler": Said(value="cosine")}
    if "cosine" not in kind:
        block.leave(COMPONENT, "linear, cosine and constant are the schedules here; `cosine` stands above")
    if cycles not in (None, 0.5):
        block.leave("num_cycles", "the cosine falls once")
    if warmup:
        found["warmup_steps"] = Said(value=warmup)
    return found


def _length_of_samples(reader: Reader) -> dict[str, Said]:
    """Torchtune bounds samples by the tokenizer's ``max_seq_len``, or not at all."""
    block = reader.inner("tokenizer")
    length = block.whole("max_seq_len", least=2) if block else None
    cut = Said(value="error", remark="there longer samples are cut; here choose drop or truncate_prompt")
    if block is not None:
        block.text(COMPONENT)
        block.leave_all(
            {COMPONENT: "the tokenizer is the model's own", "path": "the tokenizer is the model's own"}
        )
        block.leave_all({"merges_file": "the tokenizer is the model's own"})
        block.leave_all({"prompt_template": "the model's own chat template is taken"})
    if length is not None:
        return {"max_length": Said(value=length), "overflow": cut}
    reader.ledger.look_at(
        "max_length: the config bounds no sample; 2048 tokens are written, longer ones are an error"
    )
    return {"max_length": Said(value=2048, remark="the config bounds none"), "overflow": Said(value="error")}


def _scoring(reader: Reader, tasks: list[str]) -> tuple[Line, ...]:
    every = reader.whole("run_val_every_n_steps", least=1)
    reader.leave("batch_size_val", "scores are batched by the model's provider")
    if every is None or not tasks:
        reader.leave("run_val_every_n_steps", "there is nothing to score: the config holds no rows out")
        return ()
    return (Line(cells=("iteration_completed", every, {"use": "evaluate", "tasks": list(tasks)})),)


TOOL = Tool(
    name=NAME,
    title=NAME,
    tells=(COMPONENT, "checkpointer", "metric_logger", "max_steps_per_epoch", "log_peak_memory_stats",
           "enable_activation_checkpointing", "enable_activation_offloading", "clip_grad_norm"),
    make=make,
)  # fmt: skip
