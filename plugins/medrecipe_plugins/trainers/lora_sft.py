"""``lora_sft``: the training of ``trainer`` without the work that teaches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from medrecipe_plugins.trainers.trainer import HuggingFaceTrainer
from medrecipe_plugins.trainers.trainer import Options as TrainerOptions
from pipeline_dsl.api import Provider, hookimpl, option

if TYPE_CHECKING:
    from pipeline_dsl.api import ModelShape, TrainJob, TrainOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(TrainerOptions):
    """Supervised fine-tuning of adapters: packs without padding, logits of labels alone."""

    group_by_length: bool = option(default=True, doc="put samples of like length into one optimizer step")
    max_tokens: int | None = option(
        None,
        ge=1,
        doc="most tokens that go through the model at once; without it batch_size times max_length",
    )
    share_prefixes: bool = option(
        default=True, doc="compute tokens with which samples of a step begin together once"
    )
    gpu_kernels: Literal["auto", "torch"] = option(
        "auto",
        doc="auto tries flex attention and liger-kernel on a GPU before training; torch tries nothing",
    )

    @property
    def budget(self) -> int:
        """Most tokens that go through the model at once."""
        return self.max_tokens or self.batch_size * self.max_length

    @property
    def in_step(self) -> int:
        """Samples of an optimizer step."""
        return self.batch_size * self.grad_accum


@dataclass(frozen=True, slots=True)
class LoraSft(HuggingFaceTrainer):
    """``trainer`` with packs; see ``_packed_objective`` and ``models._packs``."""

    options: Options

    def manner(self, shape: ModelShape) -> str:
        """Say for the plan how such a model is trained, in a few words."""
        refusal = shape.packing.refusal(self.options.max_length) if shape.packing else None
        if refusal is not None:
            return f"in padded batches: {refusal}"
        packs = f"in packs of at most {self.options.budget:,} tokens"
        if shape.new_rows is None:
            return packs
        return f"{packs}; in padded batches where the rows of added tokens are trained"

    def train(self, job: TrainJob) -> TrainOutcome:
        """Train until the end or until told to stop.

        All samples of an optimizer step (``batch_size`` times ``grad_accum``) are cut into packs of at most
        ``max_tokens``; what is learned is what ``trainer`` learns from these samples. Where packs are not
        right for a model, it is trained as ``trainer`` does it, and ``job.say`` tells why.
        """
        from medrecipe_plugins.trainers import _packed_training

        return _packed_training.run(job, self.options)


def as_trainers(options: Options, *, whole_steps: bool) -> TrainerOptions:
    """Return the options of ``trainer``; ``whole_steps``: all samples of an optimizer step in one batch."""
    plain = TrainerOptions(**{f.name: getattr(options, f.name) for f in fields(TrainerOptions)})
    if not whole_steps:
        return plain
    return replace(plain, batch_size=options.in_step, grad_accum=1)


@hookimpl
def medrecipe_trainers() -> Sequence[Provider]:
    """Offer the trainer."""
    return [
        Provider(
            name="lora_sft",
            summary="supervised fine-tuning in packs: no padding, logits of labels alone, prefixes once",
            factory=LoraSft,
            options=Options,
        )
    ]
