"""A run from its first line to its last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline_dsl.api.contracts import Executor, Tracker
from pipeline_dsl.api.errors import LockedError, MedrecipeError
from pipeline_dsl.api.events import ExceptionRaised, RunEnd, RunStart
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.estimate import identify
from pipeline_dsl.plan.hashing import verify_files
from pipeline_dsl.plan.model import Plan, from_json, to_json
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import history, liveness
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.environment import environment
from pipeline_dsl.run.folder import RunFolder, new_folder
from pipeline_dsl.run.interrupt import Interrupts
from pipeline_dsl.run.listeners import Listeners
from pipeline_dsl.run.phase import PhaseRun
from pipeline_dsl.run.request import RunOutcome, RunRequest
from pipeline_dsl.run.retention import BASE
from pipeline_dsl.run.scores import Scores
from pipeline_dsl.run.scoring import Scorer
from pipeline_dsl.run.selection import Choice, select

EXIT_CODES = {"finished": 0, "rejected": 6, "interrupted": 130}


def run_plan(request: RunRequest, catalog: Catalog) -> RunOutcome:
    """Carry out a plan, or go on with a run that was cut off.

    Raises:
        MedrecipeError: the run failed for a reason that its user can act on; its folder says ``failed``.
    """
    plan = identify(request.plan, catalog, request.say)
    if request.resume is None:
        choices = select(plan, request)
        folder = _begin(plan, request)
    else:
        folder = _reopen(request, request.resume)
        plan = _same(plan, folder)
        choices = select(plan, request)
    return _Run(plan, folder, request, catalog).carry_out(choices)


def _begin(plan: Plan, request: RunRequest) -> RunFolder:
    folder = new_folder(request.runs, plan.project)
    folder.write_text("recipe.sdn", request.recipe_text)
    folder.write_json("plan.json", to_json(plan))
    folder.write_json("environment.json", environment(plan))
    (folder.path / "artifacts").mkdir()
    return folder


def _reopen(request: RunRequest, run_id: str) -> RunFolder:
    detail = history.show_run(request.runs, run_id)
    if detail.status == "running":
        raise LockedError(f"the run {detail.id} is still running", help="wait for it, or end it first")
    return RunFolder(Path(detail.folder))


def _same(plan: Plan, folder: RunFolder) -> Plan:
    """The run's own plan, after seeing that data and base are still what it was made for."""
    stored = from_json(folder.read_json("plan.json"))
    verify_files(stored)
    if stored.base != plan.base:
        raise MedrecipeError(
            f"the base of run {folder.id} is not the one that is here now",
            help="start a new run: its phases stand on another base",
            code="MR452",
        )
    return stored


class _Run:
    """One run while it lasts."""

    def __init__(self, plan: Plan, folder: RunFolder, request: RunRequest, catalog: Catalog) -> None:
        trackers = [(f"{ref.plugin}/{ref.name}", make(catalog, ref)) for ref in plan.trackers]
        self._trackers: Sequence[tuple[str, Tracker]] = trackers
        self._plan = plan
        self._request = request
        self._began = time.monotonic()
        self._executor: Executor = make(catalog, plan.executor)
        self._context = Context(
            plan=plan,
            catalog=catalog,
            folder=folder,
            listeners=Listeners([*catalog.listeners, *trackers, *request.listeners]),
            scorer=Scorer(plan, catalog),
            scores=Scores(plan, folder, request.runs, fresh=request.fresh),
            interrupts=Interrupts(request.say),
            say=request.say,
        )

    def carry_out(self, choices: Sequence[Choice]) -> RunOutcome:
        """Run to the end, and say how it ended whatever happens."""
        self._start(choices)
        status = "failed"
        try:
            with self._context.interrupts.watching():
                status = self._phases(choices)
        except KeyboardInterrupt:
            status = "interrupted"
        finally:
            self._tell_end(status)
        return RunOutcome(
            id=self._context.folder.id,
            folder=self._context.folder.path,
            status=status,
            exit_code=EXIT_CODES[status],
        )

    def _start(self, choices: Sequence[Choice]) -> None:
        facts = self._facts()
        for _, tracker in self._trackers:
            tracker.open(self._context.folder, facts)
        self._context.listeners.tell(
            RunStart(
                run=self._context.folder.id,
                project=self._plan.project,
                recipe=self._plan.recipe,
                profile=self._plan.profile,
                phases=tuple(c.phase.name for c in choices),
                resumed=self._request.resume is not None,
            )
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "id": self._context.folder.id,
            "project": self._plan.project,
            "recipe": self._plan.recipe,
            "profile": self._plan.profile,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            **liveness.this_process(),
        }

    def _phases(self, choices: Sequence[Choice]) -> str:
        self._score_base()
        for index, choice in enumerate(choices):
            status = self._phase(choice, index)
            if status == "rejected":
                return status
        return "finished"

    def _score_base(self) -> None:
        with ExitStack() as closing:

            def load() -> Any:
                model = self._context.load_base(self._plan.seed)
                closing.callback(model.close)
                return model

            self._context.score_row(load, BASE)

    def _phase(self, choice: Choice, index: int) -> str:
        work = PhaseRun(self._context, choice.phase, index)
        try:
            status: str = self._executor.execute(choice.phase.name, lambda: work.run(choice.reused))
        except Exception as error:
            self._context.listeners.tell(
                ExceptionRaised(phase=choice.phase.name, message=f"{type(error).__name__}: {error}")
            )
            raise
        return status

    def _tell_end(self, status: str) -> None:
        seconds = time.monotonic() - self._began
        self._context.listeners.tell(RunEnd(run=self._context.folder.id, status=status, seconds=seconds))
