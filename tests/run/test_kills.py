"""Case 59: runs that are killed with SIGKILL end as if nothing had been. All of it: ``tests/bench/kills.py``."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "kills.py"


@pytest.fixture(scope="module")
def kills():
    spec = importlib.util.spec_from_file_location("kills", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shop(kills, tmp_path_factory):
    """A workshop in which one run came to its end undisturbed."""
    with kills.workshop(tmp_path_factory.mktemp("kills")) as workshop:
        assert workshop.run("whole")
        yield workshop


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


@pytest.mark.parametrize("number", range(2))
def test_case_59_killed_at_random_times_a_run_ends_the_same(shop, number):
    chooser = random.Random(number)
    name = f"random-{number}"
    while not shop.run(name, after=chooser.uniform(0.8, 2.0)):
        pass
    assert shop.differences(name) == []
