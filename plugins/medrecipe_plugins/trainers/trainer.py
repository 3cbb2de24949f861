"""``trainer``: supervised fine-tuning as an event engine on transformers' Trainer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline_dsl.api import DataError, Provider, hookimpl, option

if TYPE_CHECKING:
    from medrecipe_plugins.trainers._guards import Limits
    from pipeline_dsl.api import LanguageModel, Preparation, Sample, TrainJob, TrainOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Supervised fine-tuning with transformers' Trainer."""

    epochs: float = option(
        3.0, ge=0, doc="passes over the data; 0 trains nothing", known_as=("num_train_epochs", "num_epochs")
    )
    max_steps: int | None = option(None, ge=1, doc="optimizer steps; if given, `epochs` does not count")
    batch_size: int = option(
        4, ge=1, doc="samples in a micro-batch", known_as=("per_device_train_batch_size", "micro_batch_size")
    )
    grad_accum: int = option(
        1, ge=1, doc="micro-batches in an optimizer step", known_as=("gradient_accumulation_steps",)
    )
    learning_rate: float = option(2e-4, gt=0, doc="highest learning rate", known_as=("lr",))
    lr_scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup"] = option(
        "linear", doc="course of the learning rate", known_as=("lr_scheduler_type",)
    )
    warmup_ratio: float = option(0.0, ge=0, lt=1, doc="share of the steps in which the learning rate rises")
    warmup_steps: int | None = option(
        None, ge=0, doc="the same in steps; if given, `warmup_ratio` does not count"
    )
    weight_decay: float = option(0.0, ge=0, doc="decoupled weight decay")
    max_grad_norm: float = option(1.0, ge=0, doc="gradients are clipped to this norm; 0 clips nothing")
    optimizer: Literal["adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "paged_adamw_8bit"] = option(
        "adamw_torch_fused", doc="the optimizer, by the Trainer's name", known_as=("optim",)
    )
    adam_beta1: float = option(0.9, ge=0, lt=1, doc="Adam's decay of the first moment")
    adam_beta2: float = option(0.999, ge=0, lt=1, doc="Adam's decay of the second moment")
    adam_epsilon: float = option(1e-8, gt=0, doc="Adam's epsilon")
    max_length: int = option(
        512,
        ge=2,
        doc="tokens that a sample may have, its end mark included",
        known_as=("max_seq_length", "sequence_len", "cutoff_len"),
    )
    overflow: Literal["error", "drop", "truncate_prompt"] = option(
        "error", doc="what becomes of a longer sample; a completion is never cut"
    )
    loss: Literal["completion", "all"] = option("completion", doc="which tokens are learned")
    gradient_checkpointing: bool = option(
        default=False, doc="compute activations again instead of keeping them"
    )
    group_by_length: bool = option(default=True, doc="put samples of like length into one micro-batch")
    save_steps: int | None = option(None, ge=1, doc="write a checkpoint every so many steps")
    save_total_limit: int | None = option(2, ge=1, doc="checkpoints that are kept")


_FEW = 4
"""Checkpoints of a training of unknown length, for estimates."""


def steps_per_epoch(samples: int, options: Options) -> int:
    """Optimizer steps in one pass: the last step of a pass may be smaller."""
    batches = math.ceil(samples / options.batch_size)
    return max(1, math.ceil(batches / options.grad_accum))


def total_steps(samples: int, options: Options) -> int:
    """Optimizer steps of a whole training, as the Trainer counts them."""
    if samples == 0:
        return 0
    if options.max_steps is not None:
        return options.max_steps
    return math.ceil(options.epochs * steps_per_epoch(samples, options))


@dataclass(frozen=True, slots=True)
class HuggingFaceTrainer:
    """The training loop of transformers behind our events."""

    options: Options

    def preparation(self) -> Mapping[str, Any]:
        """Return the options that shape prepared samples."""
        options = self.options
        return {"max_length": options.max_length, "overflow": options.overflow, "loss": options.loss}

    def prepare(self, model: LanguageModel, samples: Sequence[Sample]) -> Preparation:
        """Encode samples and hold them to the guard rails; see ``_samples.prepare``."""
        from medrecipe_plugins.trainers import _samples

        return _samples.prepare(model, samples, self._limits(model))

    def prepare_all(self, model: LanguageModel, samples: Iterable[Sample]) -> Iterator[Preparation]:
        """Do the same in constant memory; see ``_samples.prepare_all``."""
        from medrecipe_plugins.trainers import _samples

        yield from _samples.prepare_all(model, samples, self._limits(model))

    def steps(self, samples: int | None) -> int:
        """Optimizer steps on so many samples an epoch; None for a stream."""
        if samples is not None:
            return total_steps(samples, self.options)
        if self.options.max_steps is None:
            message = "a stream has no end, and nothing says how many steps to train"
            raise DataError(message, help="set max_steps in the phase's `train`")
        return self.options.max_steps

    def checkpoints(self) -> int:
        """Most checkpoints that are on disk at once, the one in the making included."""
        options = self.options
        if options.save_steps is None:
            return 1
        all_of_them = (options.max_steps or 0) // options.save_steps or _FEW
        return 1 + (options.save_total_limit or all_of_them)

    def train(self, job: TrainJob) -> TrainOutcome:
        """Train until the end or until told to stop; see ``_loop.run``."""
        from medrecipe_plugins.trainers import _loop

        return _loop.run(job, self.options)

    def _limits(self, model: LanguageModel) -> Limits:
        from medrecipe_plugins.trainers import _samples

        options = self.options
        return _samples.limits_of(model, options.max_length, options.overflow, options.loss)


@hookimpl
def medrecipe_trainers() -> Sequence[Provider]:
    """Offer the trainer."""
    return [
        Provider(
            name="trainer",
            summary="supervised fine-tuning: transformers' Trainer with events, guard rails and exact resume",
            factory=HuggingFaceTrainer,
            options=Options,
        )
    ]
