"""The training of one phase."""

from __future__ import annotations

from pipeline_dsl.api.contracts import LanguageModel, Trainer, TrainJob
from pipeline_dsl.api.records import TrainOutcome
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.hashing import verify_files
from pipeline_dsl.plan.mix import phase_samples
from pipeline_dsl.plan.model import PhasePlan
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.desk import PhaseDesk


def train(context: Context, phase: PhasePlan, model: LanguageModel, desk: PhaseDesk) -> TrainOutcome:
    """Train a phase's adapters on a model that carries its stack.

    Raises:
        DataError: a data file is not what was planned with.
        KeyboardInterrupt: the user asked to stop; a checkpoint is written.
    """
    trainer: Trainer = make(context.catalog, phase.train)
    verify_files(context.plan, {entry.data for entry in phase.mix})
    job = TrainJob(
        phase=phase.name,
        model=model,
        samples=phase_samples(context.plan, phase, context.catalog),
        seed=phase.seed,
        folder=context.folder.phase(phase.name) / "checkpoints",
        resume=True,
        fire=desk.fire,
        say=context.say,
    )
    with desk.training(model), context.interrupts.training():
        outcome = trainer.train(job)
    if context.interrupts.requested:
        raise KeyboardInterrupt
    return outcome
