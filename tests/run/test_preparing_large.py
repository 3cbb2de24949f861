"""Preparing much data: read, rendered and written some at a time, told how far, and whole or not there."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from itertools import islice

import pytest

from pipeline_dsl.api import DataError, GuardError, Preparation, Prepared
from pipeline_dsl.plan.prepared import cache_folder
from pipeline_dsl.run import reading
from pipeline_dsl.run.preparing import Preparing


class Simple:
    """A trainer that takes all of its samples at once."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.taken: list[int] = []
        self.refuse = refuse

    def preparation(self):
        return {}

    def prepare(self, model, samples) -> Preparation:
        self.taken.append(len(samples))
        rows = [Prepared(s.id, model.encode(s)[0], 1) for s in samples]
        return Preparation(rows=rows, dropped=0, shortened=0, longest=max(len(row.ids) for row in rows))


class Gradual(Simple):
    """One that takes them three at a time, and may find them wrong at the end or stop in between."""

    stop_after = None

    def prepare_all(self, model, samples):
        samples = iter(samples)
        while some := list(islice(samples, 3)):
            yield self.prepare(model, some)
            if len(self.taken) == self.stop_after:
                raise KeyboardInterrupt
        if self.refuse:
            raise GuardError("they are wrong")


@pytest.fixture
def pool(workshop, monkeypatch) -> Callable:
    """Prepares the first mix row of the toys with a trainer."""

    def prepare(trainer, late=None):
        plan = workshop.plan()
        if late:
            (workshop.folder / "ones.jsonl").write_text(late)
        model = workshop.toy.Toy(workshop.toy.ToyOptions())
        plan = dataclasses.replace(plan, base=model.identity("cpu"))
        monkeypatch.setattr("pipeline_dsl.run.preparing.make", lambda catalog, ref: trainer)
        train = plan.phases[0].train
        preparing = Preparing(
            plan=plan, catalog=workshop.catalog, train=train, model=model.load(None), say=workshop.said.append
        )
        return preparing.pool(plan.phases[0].mix[0])

    return prepare


def left_over():
    return list(cache_folder().iterdir()) if cache_folder().is_dir() else []


def plain(samples):
    return [(s.id, list(s.ids), s.start) for s in samples]


def test_some_at_a_time_comes_to_what_all_at_once_comes_to(pool, workshop):
    workshop.rows("ones", [f"글 {n}" for n in range(8)])
    gradual = Gradual()
    made = plain(pool(gradual))
    assert gradual.taken == [3, 3, 2]
    for entry in left_over()[0].iterdir():
        entry.unlink()
    simple = Simple()
    assert plain(pool(simple)) == made
    assert simple.taken == [8]


def test_an_interrupted_preparation_leaves_nothing(pool, workshop):
    workshop.rows("ones", [f"text {n}" for n in range(8)])
    trainer = Gradual()
    trainer.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        pool(trainer)
    assert left_over() == []
    assert len(pool(Gradual())) == 8


def test_samples_that_are_refused_at_the_end_leave_nothing(pool):
    with pytest.raises(GuardError, match="they are wrong"):
        pool(Gradual(refuse=True))
    assert left_over() == []


ROWS = {
    "lacks a column": '{"id": "x"}',
    "cannot be rendered": '{"text": ""}',
    "is no JSON": "{",
}


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (["cannot be rendered", "lacks a column"], "MR506"),
        (["lacks a column", "cannot be rendered", "is no JSON"], "MR503"),
        (["cannot be rendered"], "MR512"),
    ],
)
@pytest.mark.parametrize("trainer", [Simple, Gradual])
def test_faults_are_told_in_their_order_however_the_rows_are_read(pool, rows, code, trainer):
    fine = '{"text": "fine"}'
    text = "\n".join([fine, fine, fine, fine, *(ROWS[row] for row in rows)]) + "\n"
    with pytest.raises(DataError) as caught:
        pool(trainer(refuse=True), text)
    assert caught.value.code == code
    assert left_over() == []


def test_a_row_that_lacks_a_column_is_counted_with_all_others(pool):
    with pytest.raises(DataError, match="in 5 of 6 rows"):
        pool(Gradual(), '{"id": "x"}\n' * 5 + '{"text": "fine"}\n')


def test_what_is_in_memory_does_not_grow_with_the_data(pool, workshop):
    peaks = []
    for count in (200, 1500):
        workshop.rows("ones", [f"{n} " + "x" * 1000 for n in range(count)])
        tracemalloc.start()
        try:
            assert len(pool(Gradual())) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 500_000


def test_it_is_said_how_far_a_long_preparation_is(pool, workshop, monkeypatch):
    monkeypatch.setattr(reading, "_EVERY", 2)
    monkeypatch.setattr(reading, "_SECONDS", 0.0)
    workshop.rows("ones", [f"text {n}" for n in range(5)])
    pool(Gradual())
    assert workshop.said == ["preparing ones: step 2 of 6 rows", "preparing ones: step 4 of 6 rows"]


def test_a_short_preparation_needs_no_word(pool, workshop):
    pool(Gradual())
    assert workshop.said == []


_WRITER = """
import json, sys
from pipeline_dsl.api import Preparation, Prepared
from pipeline_dsl.plan.shards import write
from pipeline_dsl.run.preparing import keep

def parts():
    print("begun", flush=True)
    for n in range(3):
        sys.stdin.readline()
        rows = [Prepared(f"texts#{n}", (n, 1), 1)]
        yield Preparation(rows=rows, dropped=0, shortened=0, longest=2)

kept = keep("key", "texts", lambda new: write(parts(), new, "texts"))
print(json.dumps([list(s.ids) for s in kept]))
"""


def test_two_processes_that_prepare_the_same_at_once_both_have_it_whole():
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout.readline() == "begun\n"
    for _ in range(3):
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
    found = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert found == [[[0, 1], [1, 1], [2, 1]]] * 2
    assert [entry.name for entry in left_over()] == ["key"]
