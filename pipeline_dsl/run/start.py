"""A run from its first line to its last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline_dsl.api.contracts import Executor, Tracker
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.events import RunEnd, RunStart
from pipeline_dsl.plan.border import named
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.data import prepare_data
from pipeline_dsl.plan.estimate import identify
from pipeline_dsl.plan.inspection import inspect_data
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.plan_json import to_json
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import liveness, resume
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.desk import RunDesk
from pipeline_dsl.run.environment import environment
from pipeline_dsl.run.folder import RunFolder, new_folder
from pipeline_dsl.run.interrupt import Interrupts
from pipeline_dsl.run.listeners import Listeners
from pipeline_dsl.run.lock import locked
from pipeline_dsl.run.logs import RunLog
from pipeline_dsl.run.phase import PhaseRun
from pipeline_dsl.run.redaction import redact
from pipeline_dsl.run.request import RunOutcome, RunRequest
from pipeline_dsl.run.retention import BASE
from pipeline_dsl.run.room import verify_room, verify_writable
from pipeline_dsl.run.scores import Scores
from pipeline_dsl.run.scoring import Scorer
from pipeline_dsl.run.selection import Choice, select

EXIT_CODES = {"finished": 0, "rejected": 6, "interrupted": 130}


def run_plan(request: RunRequest, catalog: Catalog) -> RunOutcome:
    """Carry out a plan, or go on with a run that was cut off.

    Raises:
        MedrecipeError: the run failed for a reason that its user can act on; its folder says ``failed``.
    """
    verify_writable(request.runs)
    plan = prepare_data(request.plan, catalog, request.say)
    if request.resume is None:
        inspect_data(plan, catalog, request.say)
    plan = identify(plan, catalog, request.say)
    earlier: resume.Earlier | None = None
    with ExitStack() as holding:
        if request.resume is None:
            chosen = select(plan, request)
            verify_room(plan, [choice.phase for choice in chosen], catalog, request.runs)
            crew = _Crew.of(plan, request, catalog)
            folder = new_folder(request.runs, plan.project)
            holding.enter_context(locked(folder.path))
            _begin(plan, folder, request)
        else:
            folder = resume.folder_of(request.runs, request.resume)
            holding.enter_context(locked(folder.path))
            earlier = resume.reopen(plan, folder, request.runs, catalog)
            plan = earlier.plan
            crew = _Crew.of(plan, request, catalog)
        choices = select(plan, request)
        return _Run(crew, _context(plan, folder, request, catalog, crew), earlier).carry_out(choices)


def _begin(plan: Plan, folder: RunFolder, request: RunRequest) -> None:
    folder.write_text("recipe.sdn", request.recipe_text)
    folder.write_json("plan.json", redact(to_json(plan), request.secrets))
    folder.write_json("environment.json", environment(plan))
    (folder.path / "artifacts").mkdir()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crew:
    """Who takes part in a run; made before anything is written, since a plugin may refuse."""

    trackers: Sequence[tuple[str, Tracker]]
    executor: Executor
    listeners: Listeners
    log: RunLog

    @classmethod
    def of(cls, plan: Plan, request: RunRequest, catalog: Catalog) -> _Crew:
        trackers = [(f"{ref.plugin}/{ref.name}", make(catalog, ref)) for ref in plan.trackers]
        log = RunLog(request.secrets)
        return cls(
            trackers=trackers,
            executor=make(catalog, plan.executor),
            listeners=Listeners([("the log", log), *catalog.listeners, *trackers, *request.listeners]),
            log=log,
        )


def _context(plan: Plan, folder: RunFolder, request: RunRequest, catalog: Catalog, crew: _Crew) -> Context:
    def say(text: str) -> None:
        crew.log.say(text)
        request.say(text)

    crew.log.open(folder.path)
    return Context(
        plan=plan,
        catalog=catalog,
        folder=folder,
        listeners=crew.listeners,
        scorer=Scorer(plan, catalog),
        scores=Scores(plan, folder, request.runs, fresh=request.fresh),
        interrupts=Interrupts(say),
        say=say,
        scoring=request.scoring,
    )


class _Run:
    """One run while it lasts."""

    def __init__(self, crew: _Crew, context: Context, earlier: resume.Earlier | None) -> None:
        self._crew = crew
        self._context = context
        self._plan = context.plan
        self._earlier = earlier
        self._began = time.monotonic()
        self._desk = RunDesk(context)

    def carry_out(self, choices: Sequence[Choice]) -> RunOutcome:
        """Run to the end, and say how it ended whatever happens."""
        try:
            with self._context.interrupts.watching():
                self._start(choices)
                status = self._phases(choices)
        except KeyboardInterrupt:
            status = "interrupted"
        except BaseException:
            with suppress(MedrecipeError):  # what ended the run is what its user has to know
                self._tell_end("failed")
            raise
        self._tell_end(status)
        return RunOutcome(
            id=self._context.folder.id,
            folder=self._context.folder.path,
            status=status,
            exit_code=EXIT_CODES[status],
        )

    def _start(self, choices: Sequence[Choice]) -> None:
        facts = self._facts()
        for name, tracker in self._crew.trackers:
            with named(f"the tracker `{name}`", "its start"):
                tracker.open(self._context.folder, facts)
        event = RunStart(
            run=self._context.folder.id,
            project=self._plan.project,
            recipe=self._plan.recipe,
            profile=self._plan.profile,
            phases=tuple(c.phase.name for c in choices),
            resumed=self._earlier is not None,
        )
        self._context.listeners.tell(event)
        self._desk.tell(event)

    def _facts(self) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            "id": self._context.folder.id,
            "project": self._plan.project,
            "recipe": self._plan.recipe,
            "profile": self._plan.profile,
            "started": self._earlier.started if self._earlier and self._earlier.started else now,
            **liveness.this_process(),
            **({"metrics_seq": self._earlier.metrics_seq} if self._earlier else {}),
        }

    def _phases(self, choices: Sequence[Choice]) -> str:
        self._score_base()
        for index, choice in enumerate(choices):
            status = self._phase(PhaseRun(self._context, choice, index, len(choices)), choice.phase.name)
            if status == "rejected":
                return status
        return "finished"

    def _score_base(self) -> None:
        with ExitStack() as closing:

            def load() -> Any:
                model = self._context.load_base(self._plan.seed)
                closing.callback(model.close)
                return model

            self._context.score_row(load, BASE, self._context.tell_base_score)

    def _phase(self, work: PhaseRun, name: str) -> str:
        try:
            status: str = self._crew.executor.execute(name, work.run)
        except BaseException as error:
            with suppress(MedrecipeError):
                work.failed(error)
            raise
        return status

    def _tell_end(self, status: str) -> None:
        before = self._earlier.seconds if self._earlier else 0.0
        seconds = before + time.monotonic() - self._began
        event = RunEnd(run=self._context.folder.id, status=status, seconds=seconds)
        self._context.listeners.tell_all(event)
        self._desk.tell(event)
