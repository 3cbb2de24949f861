"""``jsonl``: a line of ``metrics.jsonl`` for every step, epoch, evaluation and phase, and scores by task."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline_dsl.api import NoOptions, Provider, RunWriter, events, hookimpl

FILE = "metrics.jsonl"
LOGS = "logs"
"""Folder of the tasks' own files."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class JsonLinesTracker:
    """Appends a record an event: ``seq`` counts up by one whatever the clock does, ``time`` is Unix time.

    A score is in its task's own file too, under the same number, with the stage in which it was taken.
    """

    options: NoOptions
    clock: Callable[[], float] = time.time
    _writer: RunWriter | None = field(default=None, init=False)
    _seq: int = field(default=0, init=False)
    _time: float = field(default=0.0, init=False)
    _stage: str | None = field(default=None, init=False)

    def open(self, writer: RunWriter, facts: Mapping[str, Any]) -> None:
        """Write to this run's folder; ``facts["metrics_seq"]`` is the last number before a resume, if any."""
        self._writer = writer
        self._seq = int(facts.get("metrics_seq", 0))

    @hookimpl
    def medrecipe_run_start(self, event: events.RunStart) -> None:
        """Record it."""
        self._record(event)

    @hookimpl
    def medrecipe_phase_start(self, event: events.PhaseStart) -> None:
        """Record it."""
        self._record(event)

    @hookimpl
    def medrecipe_stage_started(self, event: events.StageStarted) -> None:
        """Record it."""
        self._stage = event.stage
        self._record(event)

    @hookimpl
    def medrecipe_stage_completed(self, event: events.StageCompleted) -> None:
        """Record it."""
        self._stage = None
        self._record(event)

    @hookimpl
    def medrecipe_iteration_completed(self, event: events.IterationCompleted) -> None:
        """Record it."""
        self._record(event)

    @hookimpl
    def medrecipe_epoch_completed(self, event: events.EpochCompleted) -> None:
        """Record it."""
        self._record(event)

    @hookimpl
    def medrecipe_evaluation_completed(self, event: events.EvaluationCompleted) -> None:
        """Record it, in the task's own file as well."""
        self._record(event)
        stage = self._stage if event.step is not None else None
        self._append(
            f"{LOGS}/{event.task}.jsonl",
            {"phase": event.phase, "stage": stage, "step": event.step} | plain(event.score),
        )

    @hookimpl
    def medrecipe_phase_end(self, event: events.PhaseEnd) -> None:
        """Record it."""
        self._record(event)

    @hookimpl
    def medrecipe_run_end(self, event: events.RunEnd) -> None:
        """Record it."""
        self._record(event)

    def _record(self, event: events.Event) -> None:
        if self._writer is None:
            return
        self._seq += 1
        self._time = self.clock()
        self._append(FILE, {"event": event.name} | plain(event))

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        if self._writer is not None:
            line = {"seq": self._seq, "time": self._time, **record}
            self._writer.append_line(name, json.dumps(line, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON has it; a number that is not finite becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@hookimpl
def medrecipe_trackers() -> Sequence[Provider]:
    """Offer the tracker."""
    return [Provider(name="jsonl", summary="metrics.jsonl, a line an event", factory=JsonLinesTracker)]
