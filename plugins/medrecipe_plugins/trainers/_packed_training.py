"""A training in packs, where packs are right for the model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

from medrecipe_plugins.trainers import _loop
from medrecipe_plugins.trainers._fast_step import FastStep, why_not
from medrecipe_plugins.trainers._kernels import Kernels, choose, earlier
from medrecipe_plugins.trainers._packed_objective import PackedLoss
from medrecipe_plugins.trainers._randomness import Randomness
from medrecipe_plugins.trainers.lora_sft import Options, as_trainers
from pipeline_dsl.api import Prepared, TrainingStream, TrainJob, TrainOutcome

_PROVEN_ON = 4
"""Samples on which packs are held against the model's own forward."""


def run(job: TrainJob, options: Options) -> TrainOutcome:
    """Train as a job says; see ``_loop.run`` for what is raised."""
    module, device = job.model.module, job.model.device
    reason = why_not(module, options.max_length)
    make = partial(FastStep, module, device, options.budget, share=options.share_prefixes)
    samples = _first(job, max(_PROVEN_ON, options.in_step)) if reason is None else []
    if samples:
        differs = make().disagreement(samples[:_PROVEN_ON])
        reason = f"on its first samples they give {differs}" if differs else None
    if reason is not None:
        job.say(f"{job.phase}: trained in padded batches, for packs are not right for this model: {reason}")
        return _loop.run(job, as_trainers(options, whole_steps=False))
    step = make(kernels=_kernels_for(job, options, make(), samples[: options.in_step]))
    with step.working():
        return _loop.run(job, as_trainers(options, whole_steps=True), objective=PackedLoss(step))


def _kernels_for(job: TrainJob, options: Options, step: FastStep, samples: Sequence[Prepared]) -> Kernels:
    """Choose by what the first optimizer step computes; the training's random numbers stay where they are.

    A training that goes on computes as it did before.
    """
    if options.gpu_kernels == "torch":
        return Kernels()
    before = Randomness.now()
    largest = list(islice(step.packs(samples), 1))
    halves = [pack.samples[: len(pack.samples) // 2] for pack in largest]
    packs = [*largest, *(pack for half in halves for pack in step.packs(half))]
    chosen = earlier(job.folder) if job.resume else None
    found = choose(
        job.model.module, job.model.device, packs, lambda text: job.say(f"{job.phase}: {text}"), chosen
    )
    found.write(job.folder)
    before.restore()
    return found


def _first(job: TrainJob, count: int) -> Sequence[Prepared]:
    if isinstance(job.samples, TrainingStream):
        return [sample for _, sample in islice(job.samples.since(0), count)]
    return list(job.samples.epoch(0)[:count])
