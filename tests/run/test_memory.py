"""The memory of a phase in words, and where a run keeps it."""

from __future__ import annotations

import json

import pytest

from pipeline_dsl.run.memory import in_words


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((1_234_567_890, 1_600_000_000, 999), "1.2 GB before, 1.6 GB at the peak, 999 B after (process)"),
        (
            (24_300_000_000, 80_000_000_000_000, 456_000_000),
            "24 GB before, 80 TB at the peak, 456 MB after (process)",
        ),
    ],
)
def test_sizes_are_said_in_the_unit_that_leaves_two_digits(sizes, words):
    before, peak, after = sizes
    assert in_words({"kind": "rss", "before": before, "peak": peak, "after": after}) == words


def test_the_memory_of_a_gpu_is_called_so():
    assert in_words({"kind": "cuda", "before": 0, "peak": 0, "after": 0}).endswith("(GPU)")


@pytest.mark.parametrize("record", [None, 3, "1 GB", []])
def test_what_is_no_record_is_nothing_to_say(record):
    assert in_words(record) is None


def test_a_damaged_record_is_said_as_far_as_it_is_known():
    assert in_words({"before": "x", "peak": 50}) == "? before, 50 B at the peak, ? after (?)"


def test_each_trained_phase_keeps_and_says_its_memory_and_a_reused_one_the_earlier(workshop):
    first = workshop.run()
    for name in ("first", "second", "third"):
        record = json.loads((first.folder / "phases" / name / "phase.json").read_text("utf-8"))
        assert record["metrics"]["memory"] == {
            "kind": "rss", "before": 2_000_000_000, "peak": 3_000_000_000, "after": 2_000_000_000,
        }  # fmt: skip
    assert workshop.said.count("memory: 2.0 GB before, 3.0 GB at the peak, 2.0 GB after (process)") == 3
    workshop.said.clear()
    again = workshop.run()
    record = json.loads((again.folder / "phases" / "third" / "phase.json").read_text("utf-8"))
    assert record["metrics"]["memory"]["peak"] == 3_000_000_000
    assert not any(line.startswith("memory:") for line in workshop.said)


def test_case_64_where_memory_did_not_suffice_is_in_a_phases_figures():
    from pipeline_dsl.api import StackReport, TrainOutcome
    from pipeline_dsl.run.phase import _metrics

    outcome = TrainOutcome(steps=9, epochs=1.0, loss=2.0, label_tokens=70, micro_batch=2, micro_batch_step=4)
    found = _metrics(outcome, StackReport(trainable=(), trainable_parameters=1, total_parameters=2))
    assert (found["micro_batch"], found["micro_batch_step"]) == (2, 4)
