"""Scoring the tasks of a finished run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pipeline_dsl.api.errors import DataError, MedrecipeError
from pipeline_dsl.api.records import Score
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.data import prepare_data
from pipeline_dsl.plan.estimate import identify
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import history
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.export_manifest import NAME as EXPORTED
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.interrupt import Interrupts
from pipeline_dsl.run.listeners import Listeners
from pipeline_dsl.run.resume import refuse_other_base, stored_plan
from pipeline_dsl.run.scores import Scores
from pipeline_dsl.run.scoring import Scorer
from pipeline_dsl.run.selection import UnknownPhaseError


def evaluate_run(
    runs: Path,
    run_id: str,
    catalog: Catalog,
    *,
    tasks: Sequence[str] = (),
    phase: str | None = None,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Score]:
    """Score tasks on what a phase of a run left (its last finished one by default).

    The stack is rebuilt from the run's folder, every file held against its manifest. A device that is not the
    run's own is fine where the base comes out the same there, number format included.

    Raises:
        MedrecipeError: no such run, phase or task, an exported stack, a damaged adapter, or data or a base
            that changed.
    """
    folder = RunFolder(history.locate_run(runs, run_id))
    _refuse_exported(folder.path)
    detail = history.read_run(folder.path)
    plan = stored_plan(folder)
    plan = replace(plan, device=device or plan.device)
    chosen = _phase(plan, phase or _last_finished(detail.phases, run_id))
    wanted = _tasks(plan, tasks)
    prepare_data(plan, catalog, say)
    refuse_other_base(plan, identify(plan, catalog, say), folder)
    context = Context(
        plan=plan,
        catalog=catalog,
        folder=folder,
        listeners=Listeners([]),
        scorer=Scorer(plan, catalog),
        scores=Scores(plan, folder, runs, fresh=True),
        interrupts=Interrupts(say),
        say=say,
    )
    with closing(context.load_base(chosen.seed)) as model:
        context.attach(model, chosen, trained=True)
        return context.scorer.score_all(model, wanted, lambda task, _: say(f"scored {task}"))


def _refuse_exported(folder: Path) -> None:
    """An exported stack knows the names of its data and not where they are."""
    if (folder / EXPORTED).is_file():
        message = "an exported stack has no data on which it could be scored"
        help_ = "its scores are in its README.md; medrecipe eval scores the run that it came from"
        raise DataError(message, code=PlanCode.DATA.code, place=str(folder), help=help_)


def _phase(plan: Plan, name: str) -> PhasePlan:
    names = [p.name for p in plan.phases]
    if name not in names:
        raise UnknownPhaseError(name, names)
    return plan.phase(name)


def _last_finished(phases: Sequence[history.PhaseSummary], run_id: str) -> str:
    done = [p.name for p in phases if p.status in {"finished", "reused", "rejected"}]
    if not done:
        raise MedrecipeError(f"the run {run_id} has no finished phase", code=PlanCode.PHASE_NOT_FINISHED.code)
    return done[-1]


def _tasks(plan: Plan, asked: Sequence[str]) -> list[str]:
    every = [t.name for t in plan.tasks]
    for name in asked:
        if name not in every:
            raise MedrecipeError(
                f"the run has no task `{name}`",
                help="its tasks are " + ", ".join(every),
                code=PlanCode.UNKNOWN_TASK.code,
            )
    return list(asked) or every
