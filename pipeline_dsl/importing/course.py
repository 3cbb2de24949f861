"""The course of a training in the Trainer's words: steps, rates, optimizer, checkpoints, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline_dsl.importing.draft import Line, Said
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import Setting, carry, default
from pipeline_dsl.syntax.nodes import Value

_SCHEDULES = ("linear", "cosine", "constant", "constant_with_warmup")
_OPTIMIZERS = {
    "adamw_torch": ("adamw_torch", ""),
    "adamw_torch_fused": ("adamw_torch_fused", ""),
    "adamw_hf": ("adamw_torch", "`adamw_hf` is the same AdamW"),
    "adamw": ("adamw_torch", ""),
    "adafactor": ("adafactor", ""),
    "sgd": ("sgd", ""),
    "paged_adamw_8bit": ("paged_adamw_8bit", ""),
    "adamw_8bit": ("paged_adamw_8bit", "the same 8-bit AdamW, its state in paged memory"),
    "adamw_bnb_8bit": ("paged_adamw_8bit", "the same 8-bit AdamW, its state in paged memory"),
    "paged_adamw_32bit": ("adamw_torch", "the same AdamW in 32 bits, its state not paged"),
    "paged_adamw": ("adamw_torch", "the same AdamW in 32 bits, its state not paged"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one tool calls things, and what it takes where they are not said."""

    tool: str
    batch: str = "per_device_train_batch_size"
    epochs: str = "num_train_epochs"
    optimizer: str = "optim"
    scheduler: str = "lr_scheduler_type"
    early_stop: str = "early_stopping_patience"
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """By the recipe's names; ``warmup_ratio`` and ``save_steps`` among them where the tool has any."""
    warmup_remark: str = ""
    save_limit: int | None = None
    eval_steps: int | None = None
    """How often ``eval_strategy: steps`` scores where no key says it."""


def steps(reader: Reader, words: Words) -> dict[str, Said]:
    """Everything of ``train`` that counts steps or steers the optimizer."""
    given = words.defaults
    block = _length_of_training(reader, words)
    block |= carry(
        reader,
        [
            Setting(key=words.batch, option="batch_size", type="whole", default=given["batch_size"], least=1),
            Setting(key="gradient_accumulation_steps", option="grad_accum", type="whole", default=1, least=1),
            Setting(
                key="learning_rate", option="learning_rate", type="number", default=given.get("learning_rate")
            ),
        ],
        words.tool,
    )
    block |= _schedule(reader, words)
    block |= _optimizer(reader, words)
    block |= carry(
        reader,
        [
            Setting(key="weight_decay", option="weight_decay", type="number", least=0),
            Setting(key="max_grad_norm", option="max_grad_norm", type="number", least=0),
            Setting(key="adam_beta1", option="adam_beta1", type="number"),
            Setting(key="adam_beta2", option="adam_beta2", type="number"),
            Setting(key="adam_epsilon", option="adam_epsilon", type="number"),
        ],
        words.tool,
    )
    return block


def _length_of_training(reader: Reader, words: Words) -> dict[str, Said]:
    steps = reader.number("max_steps")
    epochs = reader.number(words.epochs, least=0)
    if steps is not None and steps > 0:
        reader.leave(words.epochs, "`max_steps` is given, so epochs do not count, as there")
        return {"max_steps": Said(value=reader.whole("max_steps"))}
    if epochs is not None:
        return {"epochs": Said(value=_neat(epochs))}
    return {"epochs": default(words.defaults["epochs"], words.tool)}


def _schedule(reader: Reader, words: Words) -> dict[str, Said]:
    block = {"lr_scheduler": default(words.defaults["lr_scheduler"], words.tool)}
    named = reader.text(words.scheduler)
    if named in _SCHEDULES:
        block["lr_scheduler"] = Said(value=named)
    elif named is not None:
        near = "cosine" if "cosine" in named else "linear"
        reader.leave(
            words.scheduler, f"there is no such schedule here; `{near}` is the nearest, so it stands above"
        )
        block["lr_scheduler"] = Said(value=near, remark=f"nearest to `{named[:30]}`")
    return block | _warmup(reader, words)


def _warmup(reader: Reader, words: Words) -> dict[str, Said]:
    steps, ratio = reader.number("warmup_steps", least=0), reader.number("warmup_ratio", least=0)
    if steps and steps < 1:
        reader.leave("warmup_ratio", "`warmup_steps` is a share here, and wins")
        return {"warmup_ratio": Said(value=steps)}
    if steps:
        reader.leave("warmup_ratio", "`warmup_steps` is given and wins, as there")
        return {"warmup_steps": Said(value=reader.whole("warmup_steps"))}
    if ratio:
        return {"warmup_ratio": Said(value=ratio)}
    usual = words.defaults.get("warmup_ratio")
    if usual is None or steps is not None or ratio is not None:
        return {}
    return {"warmup_ratio": default(usual, words.tool, words.warmup_remark)}


def _optimizer(reader: Reader, words: Words) -> dict[str, Said]:
    named = reader.text(words.optimizer)
    if named is None:
        return {"optimizer": default(words.defaults["optimizer"], words.tool)}
    if named in _OPTIMIZERS:
        value, remark = _OPTIMIZERS[named]
        return {"optimizer": Said(value=value, remark=remark)}
    known = ", ".join(sorted({value for value, _ in _OPTIMIZERS.values()}))
    reader.leave(
        words.optimizer, f"there is no such optimizer here, so adamw_torch stands above; known: {known}"
    )
    return {"optimizer": Said(value="adamw_torch", remark=f"in place of `{named[:30]}`")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """When checkpoints are written."""

    train: dict[str, Said]
    hooks: tuple[Line, ...] = ()


def saving(reader: Reader, words: Words) -> Saving:
    """Checkpoints by steps are a word of ``train``, by epochs a hook."""
    how = reader.text("save_strategy")
    every = reader.number("save_steps", least=0)
    usual = words.defaults.get("save_steps")
    limit = reader.whole("save_total_limit", least=1) or words.save_limit
    keep = {"save_total_limit": Said(value=limit, remark="" if limit else f"{words.tool} keeps all")}
    by_epoch = how == "epoch" or (how is None and every is None and usual == "epoch")
    if how == "no":
        reader.leave("save_steps", "`save_strategy: no` writes no checkpoints")
        reader.leave("save_total_limit", "`save_strategy: no` writes no checkpoints")
        return Saving(train={})
    if how not in (None, "steps", "epoch", "no"):
        reader.leave("save_strategy", "checkpoints go by steps or epochs; a hook can write one on any event")
    if by_epoch:
        reader.leave("save_steps", "`save_strategy: epoch` goes by epochs")
        return Saving(train=keep, hooks=(Line(cells=("epoch_completed", 1, "checkpoint")),))
    if every and every < 1:
        reader.leave(
            "save_steps",
            "a share of the training: write steps, once `medrecipe plan` shows how many there are",
        )
        return Saving(train=keep)
    if every:
        return Saving(train={"save_steps": Said(value=reader.whole("save_steps")), **keep})
    if usual is None:
        return Saving(train={})
    return Saving(train={"save_steps": default(usual, words.tool), **keep})


def scoring(reader: Reader, words: Words, tasks: tuple[str, ...]) -> tuple[Line, ...]:
    """Hooks that log, score while the training goes on, stop early and keep the best weights."""
    hooks = list(_logging(reader))
    when = _when(reader, words)
    if when is not None and not tasks:
        for key in ("eval_strategy", "evaluation_strategy", "eval_steps", "evals_per_epoch"):
            reader.leave(key, "there is nothing to score: the config holds no rows out")
    if when is not None and tasks:
        hooks.append(Line(cells=(*when, {"use": "evaluate", "tasks": list(tasks)})))
    scored = tasks[0] if when is not None and tasks else None
    best, patience = reader.flag("load_best_model_at_end"), reader.whole(words.early_stop, least=1)
    if scored is None:
        why = "needs scores while training goes on: rows held out, and a hook that does `evaluate`"
        reader.leave("load_best_model_at_end", why if best else "the last weights are the result")
        reader.leave("metric_for_best_model", why)
        reader.leave(words.early_stop, why)
        reader.leave("early_stopping_threshold", why)
        return tuple(hooks)
    return (*hooks, *_steering(reader, scored, bool(best), patience))


def _logging(reader: Reader) -> tuple[Line, ...]:
    every = reader.number("logging_steps", least=0)
    if every is None:
        return ()
    if every < 1:
        reader.leave("logging_steps", "a run's log has every step; a hook logs every so many whole steps")
        return ()
    return (Line(cells=("iteration_completed", reader.whole("logging_steps"), "log")),)


def _when(reader: Reader, words: Words) -> tuple[Value, ...] | None:
    """Event and count at which a training is scored."""
    how = reader.text("eval_strategy") or reader.text("evaluation_strategy")
    every, epochs = reader.number("eval_steps", least=0), reader.number("evals_per_epoch", least=0)
    if how not in (None, "steps", "epoch", "no"):
        for key in ("eval_strategy", "evaluation_strategy"):
            reader.leave(key, "scores go by steps or epochs; a hook can do `evaluate` on any event")
    if how == "no":
        reader.leave("eval_steps", "`eval_strategy: no` scores nothing while training goes on")
        return None
    if how == "epoch" or (epochs == 1 and not every):
        reader.leave("eval_steps", "`eval_strategy: epoch` goes by epochs")
        return ("epoch_completed", 1)
    if every and every >= 1:
        return ("iteration_completed", reader.whole("eval_steps"))
    for key in ("eval_steps", "evals_per_epoch"):
        reader.leave(
            key, "a share of the training: write a hook by steps, once `medrecipe plan` shows how many"
        )
    if epochs:
        return ("epoch_completed", 1)
    if how == "steps" and words.eval_steps:
        return ("iteration_completed", words.eval_steps)
    return None


def _steering(reader: Reader, task: str, best: bool, patience: int | None) -> list[Line]:  # noqa: FBT001 - one call
    hooks = []
    measure = reader.text("metric_for_best_model")
    if measure not in (None, "loss", "eval_loss"):
        reader.leave(
            "metric_for_best_model", f"`{task}` steers in its place; write a task with the metric for that"
        )
    delta = reader.number("early_stopping_threshold", least=0)
    if not patience:
        reader.leave("early_stopping_threshold", "nothing stops early")
    more: dict[str, Value] = {"min_delta": delta} if delta else {}
    if best:
        hooks.append(Line(cells=("evaluation_completed", 1, {"use": "keep_best", "task": task})))
    if patience:
        stop: dict[str, Value] = {"use": "early_stop", "monitor": task, "patience": patience, **more}
        hooks.append(Line(cells=("evaluation_completed", 1, stop)))
    return hooks


def _neat(number: float) -> float | int:
    return int(number) if number == int(number) else number
