"""Trackers, told through pluggy as in a run."""

import dataclasses
import json
import math

import pluggy
import pytest

from medrecipe_plugins.trackers import jsonl, sdn
from pipeline_dsl.api import NoOptions, Score, events, hooks

FACTS = {
    "id": "r1",
    "project": "p",
    "recipe": "한글",
    "profile": None,
    "started": "2026-01-01T00:00:00Z",
    "pid": 7,
}
SCORE = Score(value=0.5, low=0.4, high=0.6, n=9, protocol="x", details={"loop": math.nan})
START = events.RunStart(run="r1", project="p", recipe="한글", profile=None, phases=("a", "b"), resumed=False)
STEP = events.IterationCompleted(
    phase="a", step=1, max_steps=2, epoch=1, loss=1.5, learning_rate=0.1, grad_norm=math.inf, label_tokens=3, seconds=0.1
)  # fmt: skip


def _evaluated(value=0.5):
    score = Score(value=value, low=0.0, high=1.0, n=9, protocol="x", details={"loop": math.nan})
    return events.EvaluationCompleted(phase="a", task="exam", score=score, step=None)


def _ended(phase="a", status="finished"):
    return events.PhaseEnd(phase=phase, status=status, adapter="adapters/a", seconds=1.0)


class Writer:
    """Keeps what is written."""

    def __init__(self):
        self.lines, self.records, self.scores = [], [], []

    def write_text(self, name, text):
        raise NotImplementedError

    def append_line(self, name, line):
        assert "\n" not in line
        if name != "metrics.jsonl":
            self.scores.append((name, json.loads(line)))
            return
        self.lines.append(json.loads(line))

    def write_record(self, name, record):
        assert name == "metadata.sdn"
        self.records.append(dict(record))


@pytest.fixture
def run():
    """Tells a tracker events and returns what it wrote."""

    def tell(tracker, *fired, facts=FACTS):
        manager, writer = pluggy.PluginManager(hooks.PROJECT), Writer()
        manager.add_hookspecs(hooks.Notifications)
        manager.register(tracker)
        manager.check_pending()
        tracker.open(writer, facts)
        for event in fired:
            getattr(manager.hook, f"medrecipe_{event.name}")(event=event)
        return writer

    return tell


def test_every_recorded_event_is_one_line(run):
    tracker = jsonl.JsonLinesTracker(NoOptions())
    epoch = events.EpochCompleted(phase="a", step=1, max_steps=2, epoch=1, loss=1.0)
    phase = events.PhaseStart(phase="a", index=0, total=1, reused=False)
    end = events.RunEnd(run="r1", status="finished", seconds=2.0)
    lines = run(tracker, START, phase, STEP, epoch, _evaluated(), _ended(), end).lines
    assert [line["event"] for line in lines] == [
        "run_start", "phase_start", "iteration_completed", "epoch_completed", "evaluation_completed", "phase_end", "run_end",
    ]  # fmt: skip
    assert lines[2]["loss"] == 1.5
    assert lines[0]["recipe"] == "한글"
    assert lines[0]["phases"] == ["a", "b"]


def test_case_63_order_is_by_number_when_the_clock_goes_backwards(run):
    times = iter([100.0, 50.0, 75.0])
    lines = run(jsonl.JsonLinesTracker(NoOptions(), clock=lambda: next(times)), START, STEP, STEP).lines
    assert [(line["seq"], line["time"]) for line in lines] == [(1, 100.0), (2, 50.0), (3, 75.0)]


def test_numbers_go_on_after_a_resume(run):
    lines = run(jsonl.JsonLinesTracker(NoOptions()), START, facts=FACTS | {"metrics_seq": 41}).lines
    assert lines[0]["seq"] == 42


def test_numbers_that_are_not_finite_are_null(run):
    lines = run(jsonl.JsonLinesTracker(NoOptions()), STEP, _evaluated()).lines
    assert lines[0]["grad_norm"] is None
    assert lines[1]["score"]["details"] == {"loop": None}


def test_a_score_is_a_line_of_its_tasks_own_file_with_the_stage_in_which_it_was_taken(run):
    place = {"phase": "a", "stage": "short", "index": 0, "total": 2}
    fired = (
        _evaluated(0.2),
        events.StageStarted(**place, max_steps=9, until=None),
        dataclasses.replace(_evaluated(0.4), step=5),
        events.StageCompleted(**place, steps=9, stopped=None),
        _evaluated(math.nan),
    )
    writer = run(jsonl.JsonLinesTracker(NoOptions(), clock=lambda: 3.0), *fired)
    assert {name for name, _ in writer.scores} == {"logs/exam.jsonl"}
    lines = [line for _, line in writer.scores]
    assert [(x["stage"], x["step"], x["value"]) for x in lines] == [
        (None, None, 0.2),
        ("short", 5, 0.4),
        (None, None, None),
    ]
    assert lines[1] == {
        "seq": 3, "time": 3.0, "phase": "a", "stage": "short", "step": 5, "value": 0.4, "low": 0.0, "high": 1.0,
        "n": 9, "protocol": "x", "higher_is_better": True, "details": {"loop": None}, "perfect": 1.0, "invalid": None,
    }  # fmt: skip
    assert writer.lines[2]["seq"] == 3, "a score has one number in both files"


def test_metadata_begins_with_all_facts(run):
    (record,) = run(sdn.MetadataTracker(NoOptions()), START).records
    assert {name: record[name] for name in FACTS} == FACTS
    assert (record["status"], record["phases_done"], record["summary"]) == ("running", [], {})


def test_metadata_follows_scores_and_phases(run):
    records = run(sdn.MetadataTracker(NoOptions()), START, _evaluated(0.2), _evaluated(0.8), _ended()).records
    assert records[-1]["summary"] == {"exam": 0.8}
    assert records[-1]["phases_done"] == ["a"]
    assert records[1]["summary"] == {"exam": 0.2}


def test_a_rejected_phase_is_not_done_and_none_is_done_twice(run):
    fired = (_ended("a"), _ended("a", "reused"), _ended("b", "rejected"))
    assert run(sdn.MetadataTracker(NoOptions()), *fired).records[-1]["phases_done"] == ["a"]


def test_metadata_ends_with_status_and_time(run):
    end = events.RunEnd(run="r1", status="interrupted", seconds=12.3456)
    record = run(sdn.MetadataTracker(NoOptions(), clock=lambda: 0.0), START, end).records[-1]
    assert (record["status"], record["duration_seconds"]) == ("interrupted", 12.346)
    assert record["ended"] == "1970-01-01T00:00:00+00:00"


def test_a_tracker_that_was_not_opened_writes_nothing():
    jsonl.JsonLinesTracker(NoOptions()).medrecipe_run_start(START)
    sdn.MetadataTracker(NoOptions()).medrecipe_run_start(START)
