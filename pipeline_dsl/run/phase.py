"""One phase: base, stack, training, adapter on disk, scores, contracts."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_dsl.api.contracts import LanguageModel
from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.events import ExceptionRaised, ModelReady, PhaseEnd, PhaseStart
from pipeline_dsl.api.records import StackReport, TrainOutcome
from pipeline_dsl.run import atomic, manifest, reuse
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.desk import PhaseDesk
from pipeline_dsl.run.judge import Verdict, judge
from pipeline_dsl.run.memory import PhaseMemory, in_words
from pipeline_dsl.run.saving import save_adapters
from pipeline_dsl.run.selection import Choice, UnfinishedPhaseError
from pipeline_dsl.run.stages import Stages
from pipeline_dsl.run.training import CHECKPOINTS, train

RECORD = "phase.json"
STANDING = frozenset({"trained", "finished", "reused", "rejected"})
"""States in which a phase's adapters are complete on disk."""
Json = dict[str, Any]


class PhaseRun:
    """Runs, or takes over, one phase."""

    def __init__(self, context: Context, choice: Choice, index: int, total: int) -> None:
        self._context = context
        self._choice = choice
        self._phase = choice.phase
        self._place = {"index": index, "total": total}
        self._folder = context.folder.phase(choice.phase.name)
        self._began = time.monotonic()
        self._record = self._read()
        self._desk = PhaseDesk(context, choice.phase)
        self._memory: PhaseMemory | None = None

    def run(self) -> str:
        """Return the status it ends with: ``finished``, ``reused`` or ``rejected``."""
        stands = self._stands()
        source = None if stands else self._source()
        reused = stands or source is not None
        self._desk.tell(PhaseStart(phase=self._phase.name, reused=reused, **self._place))
        if source is not None:
            self._take(source)
        with ExitStack() as closing:
            trained = None if reused else _closed_by(closing, self._train())
            self._context.score_row(
                lambda: trained if trained is not None else _closed_by(closing, self._finished_model()),
                self._phase.name,
                self._desk.tell_score,
            )
            self._tell_memory()
        return self._end(judge(self._phase.retain, self._context.scores.retention(), self._phase.name))

    def failed(self, error: BaseException) -> None:
        """Note that the phase did not come to its end, and why."""
        if self._record.get("status") == "running":
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self._write(status=status)
        if isinstance(error, Exception):
            message = f"{type(error).__name__}: {error}"
            self._desk.tell_all(ExceptionRaised(phase=self._phase.name, message=message))

    def _stands(self) -> bool:
        """Whether this run has finished the phase, and its adapters are those that belong here."""
        if self._record.get("status") not in STANDING:
            return False
        try:
            for name in self._phase.trained:
                manifest.verify(self._context.plan, self._phase, name, self._context.folder)
        except ModelError as error:
            self._context.say(f"{self._phase.name}: {error.message}; the phase is done again")
            return False
        return True

    def _source(self) -> Path | None:
        """A finished phase of another run that can stand in for this one, on what is here."""
        choice, context = self._choice, self._context
        source = None
        if choice.may_reuse:
            below = dict.fromkeys(
                self._phase.trained, manifest.stands_on(context.plan, self._phase, context.folder)
            )
            source = reuse.find(self._phase, context.folder.path.parent, below)
        if source is None and not choice.may_train:
            raise UnfinishedPhaseError(self._phase.name)
        return source

    def _train(self) -> LanguageModel:
        """Train, write the adapters, and return the model that carries them."""
        self._record = {}
        self._write(status="running", metrics={})
        stages = Stages(self._context, self._phase, self._desk)
        stages.verify()
        model = self._context.load_base(self._phase.seed)
        report = self._context.attach(model, self._phase, trained=False, stage=stages.last)
        self._memory = PhaseMemory(model)
        self._desk.tell(
            ModelReady(
                phase=self._phase.name,
                trainable_parameters=report.trainable_parameters,
                total_parameters=report.total_parameters,
                device=model.device,
                dtype=model.dtype,
            )
        )
        if self._phase.stages:
            outcome = stages.train(model, report)
            more: Json = {"stages": stages.to_json()}
        else:
            trained = train(self._context, self._phase, model, self._desk)
            outcome = trained.outcome
            more = {"data": asdict(trained.amounts) if trained.amounts else None}
        save_adapters(self._context, self._phase, model, report)
        self._write(status="trained", metrics=_metrics(outcome, report), **more)
        return model

    def _tell_memory(self) -> None:
        """Note and say how much memory the phase took, where it was trained just now."""
        if self._memory is not None:
            found = self._memory.to_json()
            self._write(metrics={**self._record["metrics"], "memory": found})
            self._context.say(f"memory: {in_words(found)}")

    def _finished_model(self) -> LanguageModel:
        """The base with this phase's finished stack."""
        model = self._context.load_base(self._phase.seed)
        self._context.attach(model, self._phase, trained=True)
        return model

    def _take(self, source: Path) -> None:
        earlier = _json(source / RECORD)
        reuse.take(source, self._context.plan, self._phase, self._context.folder)
        self._record = {}
        more = {name: earlier[name] for name in ("data", "stages") if name in earlier}
        origin = source.parent.parent.name
        self._write(status="reused", metrics=earlier["metrics"], reused_from=origin, **more)

    def _end(self, verdicts: tuple[Verdict, ...]) -> str:
        shutil.rmtree(self._folder / CHECKPOINTS, ignore_errors=True)  # its adapters are whole, and scored
        for verdict in verdicts:
            if verdict.broken or verdict.doubtful:
                self._context.say(f"{self._phase.name}: retention of {verdict.text()}")
        status = "rejected" if any(v.rejects for v in verdicts) else self._final_status()
        seconds = time.monotonic() - self._began
        metrics = {"seconds": round(seconds, 3), **self._record["metrics"], **self._own_score()}
        self._write(status=status, metrics=metrics, contracts=[_plain(v) for v in verdicts])
        self._desk.tell(
            PhaseEnd(phase=self._phase.name, status=status, adapter=self._adapter(), seconds=seconds)
        )
        return status

    def _final_status(self) -> str:
        return "reused" if self._record.get("reused_from") else "finished"

    def _own_score(self) -> Json:
        if self._phase.task is None:
            return {}
        score = self._context.scores.retention().cells.get((self._phase.name, self._phase.task))
        return {self._phase.task: score.value} if score else {}

    def _adapter(self) -> str | None:
        """Where its first adapter is, relative to the run's folder."""
        context, names = self._context, self._phase.trained
        folder = manifest.adapter_folder(context.folder, self._phase, names[0]) if names else None
        return context.folder.relative(folder) if folder else None

    def _read(self) -> Json:
        """This phase's record in this run, if it is of the same fingerprint."""
        try:
            record = _json(self._folder / RECORD)
        except (OSError, ValueError):
            return {}
        same = isinstance(record, dict) and record.get("fingerprint") == self._phase.fingerprint
        return record if same and isinstance(record.get("metrics"), dict) else {}

    def _write(self, **changes: Any) -> None:
        self._record = {
            "schema_version": 1,
            "name": self._phase.name,
            "fingerprint": self._phase.fingerprint,
            "adapter": self._adapter(),
            "own_task": self._phase.task,
            "reused_from": None,
            **self._record,
            **changes,
        }
        atomic.write_json(self._folder / RECORD, self._record)


def _closed_by(closing: ExitStack, model: LanguageModel) -> LanguageModel:
    closing.callback(model.close)
    return model


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _metrics(outcome: TrainOutcome, report: StackReport) -> Json:
    return {
        "steps": outcome.steps,
        "epochs": outcome.epochs,
        "loss": outcome.loss,
        "label_tokens": outcome.label_tokens,
        "stopped": outcome.stopped,
        "kept_step": outcome.kept_step,
        "micro_batch": outcome.micro_batch,
        "micro_batch_step": outcome.micro_batch_step,
        "trainable_parameters": report.trainable_parameters,
        "total_parameters": report.total_parameters,
    }


def _plain(verdict: Verdict) -> Json:
    return {
        "contract": asdict(verdict.contract),
        "before": verdict.before,
        "bound": verdict.bound,
        "broken": verdict.broken,
        "text": verdict.text(),
    }
