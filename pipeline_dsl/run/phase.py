"""One phase: base, stack, training, adapter on disk, scores, contracts."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_dsl.api.contracts import Adapter, LanguageModel
from pipeline_dsl.api.events import ModelReady, PhaseEnd, PhaseStart
from pipeline_dsl.api.records import StackReport, TrainOutcome
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import PhasePlan
from pipeline_dsl.run import atomic, manifest, reuse
from pipeline_dsl.run.context import Context
from pipeline_dsl.run.judge import Verdict, judge
from pipeline_dsl.run.training import train

RECORD = "phase.json"
STANDING = frozenset({"trained", "finished", "reused", "rejected"})
"""States in which a phase's adapters are complete on disk."""
Json = dict[str, Any]


class PhaseRun:
    """Runs, or takes over, one phase."""

    def __init__(self, context: Context, phase: PhasePlan, index: int) -> None:
        self._context = context
        self._phase = phase
        self._index = index
        self._folder = context.folder.phase(phase.name)
        self._began = time.monotonic()
        self._record = self._read()

    def run(self, reused: Path | None) -> str:
        """Return the status it ends with: ``finished``, ``reused`` or ``rejected``.

        Args:
            reused: folder of a finished phase of the same fingerprint in another run.
        """
        standing = reused is not None or self._record.get("status") in STANDING
        self._tell_start(reused=standing)
        if reused is not None and not self._record:
            self._take(reused)
        with ExitStack() as closing:
            trained = None if standing else _closed_by(closing, self._train())
            self._context.score_row(
                lambda: trained or _closed_by(closing, self._finished_model()), self._phase.name
            )
        return self._end(judge(self._phase.retain, self._context.scores.retention(), self._phase.name))

    def _tell_start(self, *, reused: bool) -> None:
        total = len(self._context.plan.phases)
        event = PhaseStart(phase=self._phase.name, index=self._index, total=total, reused=reused)
        self._context.listeners.tell(event)

    def _train(self) -> LanguageModel:
        """Train, write the adapters, and return the model that carries them."""
        self._write(status="running", metrics={})
        model = self._context.load_base(self._phase.seed)
        report = self._context.attach(model, self._phase, trained=False)
        self._context.listeners.tell(
            ModelReady(
                phase=self._phase.name,
                trainable_parameters=report.trainable_parameters,
                total_parameters=report.total_parameters,
                device=model.device,
                dtype=model.dtype,
            )
        )
        outcome = train(self._context, self._phase, model)
        for name in self._phase.trained:
            self._save(model, name, report)
        self._write(status="trained", metrics=self._metrics(outcome, report))
        return model

    def _save(self, model: LanguageModel, name: str, report: StackReport) -> None:
        adapter: Adapter = make(self._context.catalog, self._context.plan.adapters[name])

        def fill(folder: Path) -> None:
            adapter.save(model, name, folder)
            description = manifest.describe(
                self._context.plan, self._phase, name, folder, self._context.folder, report
            )
            atomic.write_json(folder / manifest.NAME, description)

        atomic.make_folder(self._adapter_folder(name), fill)

    def _finished_model(self) -> LanguageModel:
        """The base with this phase's finished stack."""
        model = self._context.load_base(self._phase.seed)
        self._context.attach(model, self._phase, trained=True)
        return model

    def _take(self, source: Path) -> None:
        reuse.take(source, self._context.folder, self._phase.name)
        earlier = _json(source / RECORD)
        self._write(status="reused", metrics=earlier["metrics"], reused_from=source.parent.parent.name)

    def _end(self, verdicts: tuple[Verdict, ...]) -> str:
        for verdict in verdicts:
            if verdict.broken or verdict.doubtful:
                self._context.say(f"{self._phase.name}: retention of {verdict.text()}")
        status = "rejected" if any(v.rejects for v in verdicts) else self._final_status()
        seconds = time.monotonic() - self._began
        metrics = {**self._record["metrics"], **self._own_score()}
        if "seconds" not in metrics:
            metrics["seconds"] = round(seconds, 3)
        self._write(status=status, metrics=metrics, contracts=[_plain(v) for v in verdicts])
        names = self._phase.trained
        adapter = self._context.folder.relative(self._adapter_folder(names[0])) if names else None
        self._context.listeners.tell(
            PhaseEnd(phase=self._phase.name, status=status, adapter=adapter, seconds=seconds)
        )
        return status

    def _final_status(self) -> str:
        return "reused" if self._record.get("reused_from") else "finished"

    def _own_score(self) -> Json:
        if self._phase.task is None:
            return {}
        score = self._context.scores.retention().cells[(self._phase.name, self._phase.task)]
        return {self._phase.task: score.value}

    def _metrics(self, outcome: TrainOutcome, report: StackReport) -> Json:
        return {
            "steps": outcome.steps,
            "epochs": outcome.epochs,
            "loss": outcome.loss,
            "label_tokens": outcome.label_tokens,
            "stopped": outcome.stopped,
            "trainable_parameters": report.trainable_parameters,
            "total_parameters": report.total_parameters,
        }

    def _adapter_folder(self, name: str) -> Path:
        return self._context.folder.adapter(self._phase.name, name, alone=len(self._phase.trained) == 1)

    def _read(self) -> Json:
        """This phase's record in this run, if it is of the same fingerprint."""
        try:
            record = _json(self._folder / RECORD)
        except (OSError, ValueError):
            return {}
        return record if record.get("fingerprint") == self._phase.fingerprint else {}

    def _write(self, **changes: Any) -> None:
        names = self._phase.trained
        self._record = {
            "schema_version": 1,
            "name": self._phase.name,
            "fingerprint": self._phase.fingerprint,
            "adapter": self._context.folder.relative(self._adapter_folder(names[0])) if names else None,
            "own_task": self._phase.task,
            "reused_from": None,
            **self._record,
            **changes,
        }
        atomic.write_json(self._folder / RECORD, self._record)


def _closed_by(closing: ExitStack, model: LanguageModel) -> LanguageModel:
    closing.callback(model.close)
    return model


def _json(path: Path) -> Json:
    data: Json = json.loads(path.read_text(encoding="utf-8"))
    return data


def _plain(verdict: Verdict) -> Json:
    return {
        "contract": asdict(verdict.contract),
        "before": verdict.before,
        "bound": verdict.bound,
        "broken": verdict.broken,
        "text": verdict.text(),
    }
