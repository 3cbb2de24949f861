"""One training of a phase: its data prepared, the trainer at work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

from pipeline_dsl.api.contracts import LanguageModel, Trainer, TrainingSet, TrainingStream, TrainJob
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import TrainOutcome
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.hashing import verify_files
from pipeline_dsl.plan.mix import PhaseSamples, Pool
from pipeline_dsl.plan.model import PhasePlan
from pipeline_dsl.plan.prepared import Amounts
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.desk import PhaseDesk
from pipeline_dsl.run.preparing import Preparing, Seen, report
from pipeline_dsl.run.streaming import PhaseStream
from pipeline_dsl.run.unseen import refuse_unseen

CHECKPOINTS = "checkpoints"
"""Folder of a phase's checkpoints; those of a stage are in one of its name in there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What a training reads."""

    samples: TrainingSet | TrainingStream
    amounts: Amounts | None
    """What the samples of all sources come to, each counted once; None for a stream."""
    seen: Seen
    """What the samples of a stream came to so far."""

    @property
    def size(self) -> int | None:
        """Samples an epoch; None for a stream."""
        return None if isinstance(self.samples, TrainingStream) else len(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How a training ended, and on what."""

    outcome: TrainOutcome
    amounts: Amounts | None
    """As in ``Data``."""


def read_data(context: Context, phase: PhasePlan, model: LanguageModel) -> Data:
    """Prepare the data of a phase, or take it from the cache.

    Raises:
        DataError: a data file is not what was planned with, or its samples cannot be trained on.
        GuardError: what the trainer finds wrong in the samples.
    """
    plan, mix = context.plan, phase.mix
    verify_files(plan, {entry.data for entry in mix})
    preparing = Preparing(plan=plan, catalog=context.catalog, train=phase.train, model=model, say=context.say)
    seen = Seen()
    if any(plan.data[entry.data].view.streaming for entry in mix):
        feeds = [preparing.feed(entry, place, phase.seed, seen) for place, entry in enumerate(mix)]
        shares = [entry.weight for entry in mix]
        return Data(samples=PhaseStream(feeds, shares, phase.seed), amounts=None, seen=seen)
    prepared = [preparing.pool(entry) for entry in mix]
    pools = tuple(
        Pool(samples=samples, weight=entry.weight, repeat=entry.repeat)
        for samples, entry in zip(prepared, mix, strict=True)
    )
    amounts = reduce(add, (samples.amounts for samples in prepared), Amounts())
    return Data(samples=PhaseSamples(pools=pools, seed=phase.seed), amounts=amounts, seen=seen)


def steps_of(context: Context, phase: PhasePlan, model: LanguageModel) -> int:
    """Optimizer steps of a whole phase by its trainer's own count.

    Raises:
        DataError: as ``read_data``.
        GuardError: as ``read_data``.
    """
    trainer: Trainer = make(context.catalog, phase.train)
    data = read_data(context, phase, model)
    _look_for_tokens(context, phase, model, data)
    return trainer.steps(data.size)


def train(
    context: Context,
    phase: PhasePlan,
    model: LanguageModel,
    desk: PhaseDesk,
    *,
    stage: str | None = None,
    max_steps: int | None = None,
) -> Trained:
    """Train a phase's adapters on a model that carries its stack.

    Args:
        context: the run.
        phase: the phase, or one of its stages as a phase.
        model: what is trained.
        desk: where events go.
        stage: the stage's name.
        max_steps: optimizer steps, schedule included, instead of the trainer's own count.

    Raises:
        DataError: as ``read_data``.
        GuardError: as ``read_data``, or a guard stopped the training.
        KeyboardInterrupt: the user asked to stop; a checkpoint is written.
    """
    trainer: Trainer = make(context.catalog, phase.train)
    data = read_data(context, phase, model)
    if stage is None:
        _look_for_tokens(context, phase, model, data)
    label = f"{phase.name}/{stage}" if stage else phase.name
    if data.amounts is not None and (overlong := report(data.amounts)) is not None:
        context.say(f"{label}: {overlong}")
    folder = context.folder.phase(phase.name) / CHECKPOINTS
    job = TrainJob(
        phase=phase.name,
        model=model,
        samples=data.samples,
        seed=phase.seed,
        folder=folder / stage if stage else folder,
        resume=True,
        fire=desk.fire,
        say=context.say,
        max_steps=max_steps,
    )
    with desk.training(model), context.interrupts.training(), working(phase.train, "train"):
        outcome = trainer.train(job)
    if (overlong := report(data.seen.amounts)) is not None:
        context.say(f"{label}: {overlong}")
    if context.interrupts.heeded():
        raise KeyboardInterrupt
    desk.tell_kept(outcome, label)
    return Trained(outcome=outcome, amounts=data.amounts)


def _look_for_tokens(context: Context, phase: PhasePlan, model: LanguageModel, data: Data) -> None:
    """Raise DataError where an added token is in no sample; a quick look at a few samples only says so.

    Nobody looks through a stream for that.
    """
    if not model.fresh_tokens or not isinstance(data.samples, PhaseSamples):
        return
    samples = (sample for pool in data.samples.pools for sample in pool.samples)
    try:
        refuse_unseen(model.fresh_tokens, phase.name, samples)
    except DataError as error:
        if context.plan.max_samples is None:
            raise
        context.say(error.message)
