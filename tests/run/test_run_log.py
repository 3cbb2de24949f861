"""`run.log`, made for `tail -f`, and a file of scores for each task."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from pipeline_dsl.api import events
from pipeline_dsl.run.listeners import Listeners
from pipeline_dsl.run.logs import RunLog

NOW = datetime(2026, 4, 12, 10, 15, 30, tzinfo=UTC)
DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 \S.*")


def lines(folder) -> list[str]:
    return (folder / "run.log").read_text("utf-8").splitlines()


def test_a_run_is_told_line_by_line_each_with_its_time(workshop, hooked, recipe):
    text = hooked(recipe, "epoch_completed, 1, null, evaluate", "epoch_completed, 2, null, checkpoint")
    run = workshop.run(text)
    found = lines(run.folder)
    assert all(DATED.fullmatch(line) for line in found)
    said = [line.partition(" ")[2] for line in found]
    assert said[0] == f"run {run.id} of toys begins: phases first, second, third"
    assert said[-1].startswith("run finished after ")
    for line in (
        "base: ones 0 [0, 0], n 3",
        "phase 1/3 first",
        "first: trains 6 of 14 parameters on cpu in float32",
        "first: training begins at step 0 of 6",
        "first: step 3/6  epoch 1  loss 0.3333  lr 0.1  norm 1",
        "first: epoch 1 is done: loss 0.3333",
        "first: ones 1 [1, 1], n 3 at step 3",
        "first: checkpoint at step 6",
        "first: training is done after 6 steps",
    ):
        assert line in said
    assert said.index("first: step 3/6  epoch 1  loss 0.3333  lr 0.1  norm 1") < said.index(
        "first: epoch 1 is done: loss 0.3333"
    ), "the last step of an epoch is there, and in its place"


def test_messages_are_there_in_their_place(workshop, hooked, recipe):
    run = workshop.run(hooked(recipe, "epoch_completed, 1, null, stop"))
    said = [line.partition(" ")[2] for line in lines(run.folder)]
    at = said.index("first: stopping: stop at epoch_completed")
    assert said[at + 1] == "first: training ended at step 3 of 6: stop at epoch_completed"


def test_a_resumed_run_goes_on_in_the_same_log(workshop, with_train, tmp_path):
    text = with_train("second", signal_at=3, once=str(tmp_path / "once"))
    cut = workshop.run(text)
    before = lines(cut.folder)
    assert before[-1].partition(" ")[2].startswith("run interrupted after")
    with (cut.folder / "run.log").open("a") as file:
        file.write("2026-04-12T10:15:30+00:00 cut off in the mid")
    workshop.run(text, resume=cut.id)
    after = lines(cut.folder)
    assert after[: len(before)] == before
    assert " goes on: phases " in after[len(before)]


def test_a_failure_is_the_last_thing_before_the_end(workshop, with_train):
    with pytest.raises(Exception, match="the toy broke"):
        workshop.run(with_train("second", break_at=3))
    said = [line.partition(" ")[2] for line in lines(workshop.last)]
    assert said[-2].startswith("second: failed: ")
    assert said[-1].startswith("run failed after ")


def test_every_score_of_a_task_is_a_line_of_its_own_file(workshop, hooked, recipe):
    text = hooked(recipe, "epoch_completed, 1, null, {use: evaluate, tasks: [ones]}")
    run = workshop.run(text)
    assert sorted(p.name for p in (run.folder / "logs").iterdir()) == [
        "calm.jsonl",
        "ones.jsonl",
        "twos.jsonl",
    ]
    found = [
        json.loads(line) for line in (run.folder / "logs" / "ones.jsonl").read_text("utf-8").splitlines()
    ]
    assert [(x["phase"], x["step"]) for x in found][:4] == [
        ("base", None), ("first", 3), ("first", 6), ("first", None),
    ]  # fmt: skip
    matrix = json.loads((run.folder / "retention.json").read_text("utf-8"))
    assert [x["value"] for x in found if x["step"] is None] == [row[0] for row in matrix["scores"]]


@pytest.fixture
def clock():
    class Clock:
        now = 100.0

        def __call__(self) -> float:
            return self.now

    return Clock()


@pytest.fixture
def log(tmp_path, clock):
    log = RunLog(("hunter22", "x"), clock, lambda: NOW)
    log.open(tmp_path)
    return log


def step(number: int) -> events.IterationCompleted:
    return events.IterationCompleted(
        phase="p", step=number, max_steps=9, epoch=1, loss=0.5, learning_rate=2e-4, grad_norm=1.0,
        label_tokens=9, seconds=0.1,
    )  # fmt: skip


def test_steps_are_written_once_a_second_and_the_last_one_before_anything_else(log, clock, tmp_path):
    tell = Listeners([("log", log)]).tell
    for number in range(1, 6):
        tell(step(number))
        clock.now += 0.4
    log.say("a message")
    steps = [re.findall(r"step (\d)/9", line) for line in lines(tmp_path)]
    assert steps == [["1"], ["4"], ["5"], []]
    assert lines(tmp_path)[-1] == "2026-04-12T10:15:30+00:00 a message"


def test_a_line_holds_no_colour_no_line_end_and_no_secret(log, tmp_path):
    log.say("\x1b[31mred\x1b[0m one\r\ntwo hunter22 \u202e")
    assert lines(tmp_path) == ["2026-04-12T10:15:30+00:00 ?[31mred?[0m one two *** ?"]


def test_a_log_that_cannot_be_written_ends_nothing(log, tmp_path):
    (tmp_path / "run.log").mkdir()
    log.say("into the void")


def test_before_there_is_a_folder_nothing_is_written(tmp_path):
    RunLog().say("too early")
    assert list(tmp_path.iterdir()) == []
