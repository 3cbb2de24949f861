"""One training from its samples to its outcome."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed

from medrecipe_plugins.trainers import _checkpoints, _weights
from medrecipe_plugins.trainers._batches import Batches, EpochBatches
from medrecipe_plugins.trainers._engine import EventTrainer, Work
from medrecipe_plugins.trainers._events import EventCallback
from medrecipe_plugins.trainers._ledger import Step, Totals
from medrecipe_plugins.trainers._micro import MicroBatches
from medrecipe_plugins.trainers._objective import Objective, TokenLoss
from medrecipe_plugins.trainers._stream import StreamBatches
from medrecipe_plugins.trainers.trainer import HuggingFaceTrainer, Options, steps_per_epoch
from pipeline_dsl.api import (
    DataError,
    MachineError,
    ModelError,
    TrainingStream,
    TrainJob,
    TrainOutcome,
    events,
)


def run(
    job: TrainJob, options: Options, *, objective: Objective | None = None, rehearse: bool | None = None
) -> TrainOutcome:
    """Train as a job says.

    The same job gives the same weights bit for bit, interrupted and resumed or not.

    Args:
        job: the training.
        options: how to train.
        objective: what a micro-batch is and what is learned from it; None for ``TokenLoss``.
        rehearse: whether the largest micro-batch goes through the model before the first step, so that memory
            that does not suffice shows at once; None for where it can be seen at all, on a GPU.

    Raises:
        DataError: there is no sample.
        GuardError: a guard rail does not hold; the last checkpoint is kept.
        MachineError: device, memory or disk do not suffice.
        ModelError: a checkpoint is of a newer format, or another model's.
    """
    total = _steps(job, options)
    if total == 0:
        return _nothing(job)
    checkpoint = _begin(job)
    source, per_epoch = _batches(job, options, total, checkpoint)
    work = Work(
        objective=objective or TokenLoss(),
        source=source,
        step=Step(),
        totals=Totals.read(checkpoint) if checkpoint else Totals(),
        sizes=MicroBatches(job.folder, options.batch_size, checkpoint, resume=job.resume),
        say=lambda text: job.say(f"{job.phase}: {text}"),
        rehearse=torch.device(job.model.device).type == "cuda" if rehearse is None else rehearse,
    )
    callback = EventCallback(
        job, total=total, per_epoch=per_epoch, source=source, step=work.step, totals=work.totals
    )
    with _left_as_found(job.model.module), _machine_errors(options):
        trainer = EventTrainer(
            work,
            keep=options.save_total_limit,
            model=job.model.module,
            args=arguments(options, job, total),
            callbacks=[callback],
        )
        done = _train(trainer, callback, checkpoint, total)
        kept_step = _take_kept(job)
    change = work.sizes.last(done)
    return TrainOutcome(
        steps=done,
        epochs=done / per_epoch,
        loss=work.totals.mean,
        label_tokens=work.totals.tokens,
        stopped=callback.stopped,
        kept_step=kept_step,
        micro_batch=change.size if change else None,
        micro_batch_step=change.step if change else None,
    )


def _begin(job: TrainJob) -> Path | None:
    """Find the checkpoint that a training goes on from, and say which could not be trusted."""
    begun = _checkpoints.begin(job.folder, resume=job.resume)
    for line in begun.lines():
        job.say(f"{job.phase}: {line}")
    return begun.checkpoint


def arguments(options: Options, job: TrainJob, total: int) -> TrainingArguments:
    """Our options as the Trainer's; everything that could make it talk is off."""
    on_cpu = torch.device(job.model.device).type == "cpu"
    arguments = TrainingArguments(
        output_dir=str(job.folder),
        max_steps=total,
        per_device_train_batch_size=options.batch_size,
        gradient_accumulation_steps=options.grad_accum,
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.lr_scheduler,
        warmup_steps=_warmup(options, total),
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        optim=options.optimizer,
        adam_beta1=options.adam_beta1,
        adam_beta2=options.adam_beta2,
        adam_epsilon=options.adam_epsilon,
        save_strategy="steps" if options.save_steps else "no",
        save_steps=options.save_steps or total,
        save_total_limit=None,
        seed=job.seed,
        use_cpu=on_cpu,
        report_to="none",
        logging_strategy="no",
        eval_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        **_checkpointing(wanted=options.gradient_checkpointing),
    )
    _one_device(arguments, torch.device(job.model.device))
    return arguments


def _steps(job: TrainJob, options: Options) -> int:
    """Optimizer steps of the whole training."""
    if job.max_steps is not None:
        return job.max_steps
    trainer = HuggingFaceTrainer(options)
    if isinstance(job.samples, TrainingStream):
        return trainer.steps(None)
    if not len(job.samples):
        raise DataError("there is no sample to train on", code="MR541")
    return trainer.steps(len(job.samples))


def _batches(job: TrainJob, options: Options, total: int, checkpoint: Path | None) -> tuple[Batches, int]:
    """The micro-batches of a training, and optimizer steps an epoch; a stream is one epoch."""
    settings: dict[str, Any] = {
        "batch_size": options.batch_size,
        "group_by_length": options.group_by_length,
        "seed": job.seed,
    }
    if isinstance(job.samples, TrainingStream):
        done = (checkpoint, _checkpoints.step_of(checkpoint)) if checkpoint else None
        accum = options.grad_accum
        return StreamBatches(job.samples, steps=total, grad_accum=accum, checkpoint=done, **settings), total
    count = len(job.samples)
    return EpochBatches(job.samples.epoch, count=count, **settings), steps_per_epoch(count, options)


def _train(trainer: EventTrainer, callback: EventCallback, checkpoint: Path | None, total: int) -> int:
    """Train on, and return the steps done. A checkpoint of the end is loaded and nothing more.

    It is one of the end, too, where the wish to stop that was told at its step is told again at ``started``.
    """
    set_seed(trainer.args.seed)
    done = _checkpoints.step_of(checkpoint) if checkpoint else 0
    if checkpoint:
        _weights.load(trainer.model, checkpoint)
    callback.begin(done)
    if checkpoint and (done >= total or callback.stopped is not None):
        callback.finish(done)
        return done
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    done = int(trainer.state.global_step)
    _weights.check(trainer.model, done)
    return done


def _take_kept(job: TrainJob) -> int | None:
    """Give the model the weights that were kept last, and return their step; None where none were."""
    kept = _checkpoints.kept(job.folder)
    if kept is None:
        return None
    if not _checkpoints.is_sound(kept):
        message = "the weights that were kept are damaged"
        raise ModelError(message, place=str(kept), help="resume the run: it goes on from before them")
    _weights.load(job.model.module, kept)
    return _checkpoints.step_of(kept)


def _nothing(job: TrainJob) -> TrainOutcome:
    point: dict[str, Any] = {"phase": job.phase, "step": 0, "max_steps": 0, "epoch": 1}
    job.fire(events.Started(**point))
    job.fire(events.Completed(**point))
    return TrainOutcome(steps=0, epochs=0.0, loss=0.0, label_tokens=0)


def _warmup(options: Options, total: int) -> int:
    if options.warmup_steps is not None:
        return options.warmup_steps
    return math.ceil(options.warmup_ratio * total)


def _checkpointing(*, wanted: bool) -> dict[str, Any]:
    """The Trainer's names for gradient checkpointing, which changed within transformers 5."""
    if not wanted:
        return {}
    known = {field.name for field in fields(TrainingArguments)}
    name = next(n for n in ("activation_checkpointing", "gradient_checkpointing") if n in known)
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}}


def _one_device(arguments: TrainingArguments, wanted: torch.device) -> None:
    """Hold the Trainer to the model's device: it would spread over all GPUs, or move to the first."""
    if arguments.device.type != wanted.type or (arguments.device.index or 0) != (wanted.index or 0):
        message = f"the model is on {wanted}, the Trainer works on {arguments.device}"
        raise MachineError(message, help="make that device the only visible one (CUDA_VISIBLE_DEVICES)")
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # noqa: SLF001 - as the Trainer itself does for one model over several devices


@contextmanager
def _left_as_found(module: torch.nn.Module) -> Iterator[None]:
    """Give the module back in the mode and with the settings in which it came."""
    mode, config = module.training, getattr(module, "config", None)
    use_cache = getattr(config, "use_cache", None)
    try:
        yield
    finally:
        module.train(mode)
        module.zero_grad(set_to_none=True)
        if use_cache is not None:
            config.use_cache = use_cache  # type: ignore[union-attr]  # None has no use_cache


@contextmanager
def _machine_errors(options: Options) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        message = "the device's memory does not suffice for the optimizer, or for taking a score"
        help_ = "quantise the base, take a smaller r, or an optimizer of 8 bits; the last checkpoint is kept"
        raise MachineError(message, help=help_) from error
    except ImportError as error:
        raise MachineError(f"optimizer {options.optimizer} is not installed: {error}") from error
