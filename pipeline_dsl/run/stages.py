"""The stages of a phase: trainings on the same adapters, each from its own record on disk or trained now.

A finished stage is a folder ``stages/NAME``: its adapters, each whole under its name, then ``stage.json``,
which says that they are. A run that was cut off goes on behind the last stage that has both.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline_dsl.api.contracts import LanguageModel
from pipeline_dsl.api.errors import GuardError, ModelError
from pipeline_dsl.api.events import StageCompleted, StageStarted
from pipeline_dsl.api.records import StackReport, TrainOutcome
from pipeline_dsl.plan.model import PhasePlan, StagePlan
from pipeline_dsl.plan.stages import budgets, of_stage
from pipeline_dsl.run import atomic, manifest
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.desk import PhaseDesk
from pipeline_dsl.run.saving import save_adapters
from pipeline_dsl.run.training import CHECKPOINTS, steps_of, train
from pipeline_dsl.run.until import Course, Until

RECORD = "stage.json"
SCHEMA_VERSION = 1
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A stage that is over."""

    stage: StagePlan
    outcome: TrainOutcome
    reached: bool | None
    """Whether its ``until`` held in the end; None where it has none."""
    figures: dict[str, float]
    """The newest values of what ``until`` names."""
    max_steps: int
    """Steps that it could have taken."""
    data: Json | None
    """What its samples came to; None for a stream."""

    def to_json(self) -> Json:
        """What is kept of it."""
        return {
            "name": self.stage.name,
            **asdict(self.outcome),
            "until": self.stage.until,
            "reached": self.reached,
            "figures": {k: v if math.isfinite(v) else None for k, v in self.figures.items()},
            "max_steps": self.max_steps,
            "data": self.data,
        }

    def verify(self, phase: str) -> None:
        """Raise GuardError unless ``until`` held in the end, if the stage has one."""
        if self.reached is not False:
            return
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.figures.items())
        ended = self.outcome.stopped or f"its {self.max_steps} steps were taken"
        raise GuardError(
            f"the stage `{self.stage.name}` of the phase `{phase}` ended before `{self.stage.until}` held: "
            f"{ended}; last {figures or 'scores: none'}",
            code="MR485",
            help="give it more steps (`at_most`, epochs) or ask for less in `until`; "
            f"its adapters are kept in stages/{self.stage.name}",
        )


class Stages:
    """The stages of one phase while it is trained."""

    def __init__(self, context: Context, phase: PhasePlan, desk: PhaseDesk) -> None:
        self._context = context
        self._phase = phase
        self._desk = desk
        self._done = list(self._finished())

    @property
    def last(self) -> str | None:
        """The stage from whose adapters training goes on; None where none is over."""
        return self._done[-1].stage.name if self._done else None

    def verify(self) -> None:
        """Raise GuardError where the last stage that is over never came to its ``until``."""
        if self._done:
            self._done[-1].verify(self._phase.name)

    def train(self, model: LanguageModel, report: StackReport) -> TrainOutcome:
        """Train the stages that are left; return what all of them come to.

        Raises:
            GuardError: nothing is left for a stage, or one ended before its ``until`` held.
            KeyboardInterrupt: the user asked to stop; a checkpoint is written.
        """
        left = self._phase.stages[len(self._done) :]
        total = steps_of(self._context, self._phase, model) if left else 0
        for stage in left:
            own = budgets(self._phase, total, used=self._steps, start=len(self._done))
            done = self._train(stage, model, own)
            self._keep(done, model, report)
            done.verify(self._phase.name)
        return self._outcome()

    def to_json(self) -> list[Json]:
        """What each stage that is over came to."""
        return [done.to_json() for done in self._done]

    @property
    def _steps(self) -> int:
        return sum(done.outcome.steps for done in self._done)

    def _train(self, stage: StagePlan, model: LanguageModel, own: tuple[int, ...]) -> Done:
        """Train one stage, ``own[0]`` steps at most; the others are those of the stages after it."""
        index, until = len(self._done), Until(stage) if stage.until else None
        epochs = sum(math.ceil(done.outcome.epochs) for done in self._done)
        course = Course(steps=self._steps, epochs=epochs, max_steps=self._steps + sum(own))
        self._desk.enter(self._folder(stage), course, until)
        self._desk.tell(StageStarted(**self._place(stage, index), max_steps=own[0], until=stage.until))
        phase = replace(of_stage(self._phase, stage), seed=_seed(self._phase.seed, index))
        trained = train(self._context, phase, model, self._desk, stage=stage.name, max_steps=own[0])
        return Done(
            stage=stage,
            outcome=trained.outcome,
            reached=until.reached if until else None,
            figures=dict(until.figures) if until else {},
            max_steps=own[0],
            data=asdict(trained.amounts) if trained.amounts else None,
        )

    def _keep(self, done: Done, model: LanguageModel, report: StackReport) -> None:
        """Put a stage's adapters on disk, then its record; its checkpoints are not needed any more."""
        stage, index = done.stage, len(self._done)
        save_adapters(self._context, self._phase, model, report, stage.name)
        record = {"schema_version": SCHEMA_VERSION, "fingerprint": self._phase.fingerprint, **done.to_json()}
        atomic.write_json(self._folder(stage) / RECORD, record)
        shutil.rmtree(
            self._context.folder.phase(self._phase.name) / CHECKPOINTS / stage.name, ignore_errors=True
        )
        self._done.append(done)
        outcome = done.outcome
        self._desk.tell(
            StageCompleted(**self._place(stage, index), steps=outcome.steps, stopped=outcome.stopped)
        )

    def _finished(self) -> Iterator[Done]:
        """The stages that are over, from the first on, as long as they are intact."""
        for stage in self._phase.stages:
            done = self._read(stage)
            if done is None:
                return
            try:
                for name in self._phase.trained:
                    manifest.verify(self._context.plan, self._phase, name, self._context.folder, stage.name)
            except ModelError as error:
                self._context.say(f"{self._phase.name}: {error.message}; the stage is done again")
                return
            yield done

    def _read(self, stage: StagePlan) -> Done | None:
        """A stage's record, if it is one of this phase as it is planned."""
        try:
            record = json.loads((self._folder(stage) / RECORD).read_text(encoding="utf-8"))
            if (record["schema_version"], record["fingerprint"]) != (SCHEMA_VERSION, self._phase.fingerprint):
                return None
            names = ("steps", "epochs", "loss", "label_tokens", "stopped", "kept_step")
            later = ("micro_batch", "micro_batch_step")
            outcome = {n: record[n] for n in names} | {n: record[n] for n in later if n in record}
            return Done(
                stage=stage,
                outcome=TrainOutcome(**outcome),
                reached=record["reached"],
                figures={k: math.nan if v is None else v for k, v in record["figures"].items()},
                max_steps=record["max_steps"],
                data=record["data"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _outcome(self) -> TrainOutcome:
        """All stages as one training."""
        outcomes = [done.outcome for done in self._done]
        *before, last = outcomes
        tokens = sum(o.label_tokens for o in outcomes)
        before_last = sum(o.steps for o in before)
        return TrainOutcome(
            steps=sum(o.steps for o in outcomes),
            epochs=sum(o.epochs for o in outcomes),
            loss=sum(o.loss * o.label_tokens for o in outcomes) / max(1, tokens),
            label_tokens=tokens,
            stopped=last.stopped,
            kept_step=None if last.kept_step is None else last.kept_step + before_last,
            micro_batch=last.micro_batch,
            micro_batch_step=None if last.micro_batch_step is None else last.micro_batch_step + before_last,
        )

    def _folder(self, stage: StagePlan) -> Path:
        return self._context.folder.phase(self._phase.name) / "stages" / stage.name

    def _place(self, stage: StagePlan, index: int) -> Json:
        total = len(self._phase.stages)
        return {"phase": self._phase.name, "stage": stage.name, "index": index, "total": total}


def _seed(seed: int, index: int) -> int:
    """A stage's own seed: its order of samples and its dropout are not those of the stage before."""
    return int.from_bytes(hashlib.sha256(f"{seed}/stage/{index}".encode()).digest()[:4])
