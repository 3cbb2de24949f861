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

from medrecipe_plugins.trainers import _checkpoints
from medrecipe_plugins.trainers._batches import EpochBatches
from medrecipe_plugins.trainers._engine import EventTrainer
from medrecipe_plugins.trainers._events import EventCallback
from medrecipe_plugins.trainers._ledger import Step, Totals
from medrecipe_plugins.trainers._samples import Encoder, limits_of
from medrecipe_plugins.trainers.trainer import Options, steps_per_epoch, total_steps
from pipeline_dsl.api import DataError, MachineError, TrainingSet, TrainJob, TrainOutcome, events


def run(job: TrainJob, options: Options) -> TrainOutcome:
    """Train as a job says.

    The same job gives the same weights bit for bit, interrupted and resumed or not.

    Raises:
        DataError: a sample is too long, or there is none.
        GuardError: a guard rail does not hold; the last checkpoint is kept.
        MachineError: device, memory or disk do not suffice.
    """
    encoder = Encoder(
        job.model.encode, limits_of(job.model, options.max_length, options.overflow, options.loss)
    )
    count, total = _admit(encoder, job.samples, options)
    if encoder.overflow is not None:
        job.say(f"{job.phase}: {encoder.overflow}")
    if total == 0:
        return _nothing(job)
    checkpoint = _starting_point(job)
    totals = Totals.read(checkpoint) if checkpoint else Totals()
    source = EpochBatches(
        lambda number: encoder.encoded(job.samples.epoch(number), count),
        count=count,
        batch_size=options.batch_size,
        group_by_length=options.group_by_length,
        seed=job.seed,
    )
    step, per_epoch = Step(), steps_per_epoch(count, options)
    callback = EventCallback(job, total=total, per_epoch=per_epoch, source=source, step=step, totals=totals)
    with _left_as_found(job.model.module), _machine_errors(options):
        trainer = EventTrainer(
            model=job.model.module,
            args=arguments(options, job, total),
            callbacks=[callback],
            source=source,
            step=step,
            totals=totals,
            keep=options.save_total_limit,
        )
        done = _train(trainer, callback, checkpoint, total)
    return TrainOutcome(
        steps=done,
        epochs=done / per_epoch,
        loss=totals.mean,
        label_tokens=totals.tokens,
        stopped=callback.stopped,
    )


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


def _admit(encoder: Encoder, samples: TrainingSet, options: Options) -> tuple[int, int]:
    """Check all epochs that will be trained on; return samples an epoch and steps."""
    if not len(samples):
        raise DataError("there is no sample to train on", code="MR541")
    count, checked = len(samples), 0
    while True:
        total = total_steps(count, options)
        needed = math.ceil(total / steps_per_epoch(count, options))
        if needed <= checked:
            return count, total
        count = min(count, encoder.check(samples.epoch(n) for n in range(checked, needed)))
        checked = needed


def _starting_point(job: TrainJob) -> Path | None:
    job.folder.mkdir(parents=True, exist_ok=True)
    if job.resume:
        return _checkpoints.newest_sound(job.folder)
    _checkpoints.discard_all(job.folder)
    return None


def _train(trainer: EventTrainer, callback: EventCallback, checkpoint: Path | None, total: int) -> int:
    """Train on, and return the steps done. A finished checkpoint is loaded and nothing more."""
    set_seed(trainer.args.seed)
    if checkpoint and _checkpoints.step_of(checkpoint) >= total:
        trainer.load_weights(checkpoint)
        trainer.state.global_step = _checkpoints.step_of(checkpoint)
        callback.on_train_begin(trainer.args, trainer.state, trainer.control)
        callback.finish(trainer.state.global_step)
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        trainer.check_weights()
    return int(trainer.state.global_step)


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
        half = max(1, options.batch_size // 2)
        double = options.grad_accum * 2
        help_ = f"set batch_size: {half} and grad_accum: {double}, or gradient_checkpointing: true"
        raise MachineError("the device's memory does not suffice for a training step", help=help_) from error
    except ImportError as error:
        raise MachineError(f"optimizer {options.optimizer} is not installed: {error}") from error
