"""A training in packs, where packs are right for the model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from medrecipe_plugins.trainers import _loop
from medrecipe_plugins.trainers._fast_step import FastStep, why_not
from medrecipe_plugins.trainers._packed_objective import PackedLoss
from medrecipe_plugins.trainers.lora_sft import Options, as_trainers
from pipeline_dsl.api import Prepared, TrainingStream, TrainJob, TrainOutcome

_PROVEN_ON = 4
"""Samples on which packs are held against the model's own forward."""


def run(job: TrainJob, options: Options) -> TrainOutcome:
    """Train as a job says; see ``_loop.run`` for what is raised."""
    module = job.model.module
    reason = why_not(module, options.max_length)
    step = None
    if reason is None:
        step = FastStep(module, job.model.device, options.budget, share=options.share_prefixes)
        samples = _first(job)
        differs = step.disagreement(samples) if samples else None
        reason = f"on its first samples they give {differs}" if differs else None
    if step is None or reason is not None:
        job.say(f"{job.phase}: trained in padded batches, for packs are not right for this model: {reason}")
        return _loop.run(job, as_trainers(options, whole_steps=False))
    with step.working():
        return _loop.run(job, as_trainers(options, whole_steps=True), objective=PackedLoss(step))


def _first(job: TrainJob) -> Sequence[Prepared]:
    if isinstance(job.samples, TrainingStream):
        return [sample for _, sample in islice(job.samples.since(0), _PROVEN_ON)]
    return list(job.samples.epoch(0)[:_PROVEN_ON])
