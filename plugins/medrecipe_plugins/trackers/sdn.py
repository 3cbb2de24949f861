"""``sdn``: ``metadata.sdn``, what a run is, how far it came and what it scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline_dsl.api import NoOptions, Provider, RunWriter, events, hookimpl

FILE = "metadata.sdn"


@dataclass(slots=True, weakref_slot=True, eq=False)
class MetadataTracker:
    """Keeps one record of a run: the facts known at its start, then status, phases done and newest scores."""

    options: NoOptions
    clock: Callable[[], float] = time.time
    _writer: RunWriter | None = field(default=None, init=False)
    _record: dict[str, Any] = field(default_factory=dict, init=False)
    _began: float = field(default=0.0, init=False)

    def open(self, writer: RunWriter, facts: Mapping[str, Any]) -> None:
        """Write to this run's folder; the facts stand first in the record, as they are."""
        self._writer = writer
        self._began = self.clock()
        self._record = dict(facts) | {"status": "running", "phases_done": [], "summary": {}}

    @hookimpl
    def medrecipe_run_start(self, event: events.RunStart) -> None:  # noqa: ARG002 - the facts have it all
        """Write the record for the first time."""
        self._write()

    @hookimpl
    def medrecipe_evaluation_completed(self, event: events.EvaluationCompleted) -> None:
        """Keep the newest score of the task."""
        self._record["summary"] = self._record["summary"] | {event.task: event.score.value}
        self._write()

    @hookimpl
    def medrecipe_phase_end(self, event: events.PhaseEnd) -> None:
        """Note a phase that is done; a rejected one is not."""
        done = self._record["phases_done"]
        if event.status != "rejected" and event.phase not in done:
            self._record["phases_done"] = [*done, event.phase]
        self._write()

    @hookimpl
    def medrecipe_run_end(self, event: events.RunEnd) -> None:
        """Note how and when the run ended."""
        ended = datetime.fromtimestamp(self.clock(), tz=UTC).isoformat(timespec="seconds")
        self._record |= {"status": event.status, "ended": ended, "duration_seconds": round(event.seconds, 3)}
        self._write()

    def _write(self) -> None:
        if self._writer is not None:
            self._writer.write_record(FILE, self._record)


@hookimpl
def medrecipe_trackers() -> Sequence[Provider]:
    """Offer the tracker."""
    return [Provider(name="sdn", summary="metadata.sdn, the run in one record", factory=MetadataTracker)]
