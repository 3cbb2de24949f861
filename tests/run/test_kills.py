"""Real runs that are killed, stopped or out of disk end as if nothing had been. More: ``tests/bench/kills.py``."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def shop(kills, forks, tmp_path_factory):
    """A workshop in which one run came to its end undisturbed."""
    workshop = kills.workshop(tmp_path_factory.mktemp("kills"), forks)
    assert workshop.run("whole")
    return workshop


def test_what_is_compared_is_all_that_matters(kills, shop):
    found = kills.facts(shop.folder / "whole")
    kinds = {key.split()[0] for key in found}
    assert kinds == {"file", "checkpoint", "step", "epoch", "score", "outcome"}
    assert sum(key.startswith("step ") for key in found) == 16
    names = {key.rpartition("/")[2] for key in found if key.startswith("checkpoint stream-")}
    assert {"trainable.safetensors", "optimizer.safetensors", "random.safetensors", "stream.json"} <= names


def test_case_59_killed_at_every_named_point_one_after_the_other_a_run_ends_the_same(kills, shop):
    for point in kills.NAMED.values():
        assert not shop.run("named", point), "it was to be killed"
    assert shop.run("named")
    assert shop.differences("named") == []


def test_case_59_killed_at_random_times_a_run_ends_the_same(shop):
    chooser, name = random.Random(4), "random"
    for _ in range(2):
        shop.run(name, after=chooser.uniform(0.3, 1.5))
    assert shop.run(name)
    assert shop.differences(name) == []


def steps(folder: Path) -> list[int]:
    return sorted(
        int(p.name.rpartition("-")[2]) for p in folder.glob("killed/*/phases/plain/checkpoints/checkpoint-*")
    )


def wait_until(path: Path) -> None:
    for _ in range(2000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(path)


def test_case_60_a_signal_finishes_the_step_and_writes_a_checkpoint_a_second_one_does_not_wait(shop):
    name, point = "stopped", {"event": "iteration_completed", "phase": "plain", "step": 2}
    child = shop.start(name, {**point, "wait": 1})
    wait_until(shop.folder / name / "waiting")
    os.kill(child, signal.SIGTERM)
    assert shop.wait() == 130
    assert steps(shop.folder / name) == [2], "it was written for the signal alone"

    (shop.folder / name / "waiting").unlink()
    child = shop.start(name, {**point, "step": 5, "wait": 60})
    wait_until(shop.folder / name / "waiting")
    began = time.monotonic()
    os.kill(child, signal.SIGTERM)
    time.sleep(0.2)
    os.kill(child, signal.SIGINT)
    assert shop.wait() == 130
    assert time.monotonic() - began < 20
    assert steps(shop.folder / name) == [2, 3]
    assert shop.run(name)
    assert shop.differences(name) == []


def test_case_56_a_full_disk_ends_a_run_with_5_and_it_goes_on_once_there_is_room(shop):
    point = {"event": "iteration_completed", "phase": "plain", "step": 5, "full": 20_000}
    shop.start("full", point)
    assert shop.wait() == 5
    assert "the checkpoint of step 6 cannot be written" in shop.forks.log.read_text("utf-8")
    assert steps(shop.folder / "full") == [3]
    assert shop.run("full")
    assert shop.differences("full") == []
