"""Prepared data over runs: made once, reused exactly while nothing changes, never trusted when damaged."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline_dsl.api import DataError, Preparation, Prepared
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.plan.prepared import MANIFEST, cache_folder
from pipeline_dsl.run.preparing import UNUSED_DAYS, Preparing, report


def entries() -> list[Path]:
    return sorted(cache_folder().iterdir()) if cache_folder().is_dir() else []


@dataclass
class Counting:
    """The toy's trainer, which counts what it prepares and drops samples longer than ``longest``."""

    longest: int = 99
    prepared: int = 0

    def preparation(self):
        return {"longest": self.longest}

    def prepare(self, model, samples) -> Preparation:
        self.prepared += len(samples)
        rows = [Prepared(s.id, model.encode(s)[0], 1) for s in samples]
        kept = [row if len(row.ids) <= self.longest else None for row in rows]
        longest = max(len(row.ids) for row in rows)
        return Preparation(rows=kept, dropped=kept.count(None), shortened=0, longest=longest)


@pytest.fixture
def preparing(workshop, monkeypatch) -> Callable[..., Preparing]:
    """Prepares for a plan of the toys with a given trainer."""

    def make(trainer: Counting, plan: Plan | None = None) -> Preparing:
        plan = plan or workshop.plan()
        model = workshop.toy.Toy(workshop.toy.ToyOptions())
        plan = dataclasses.replace(plan, base=model.identity("cpu"))
        monkeypatch.setattr("pipeline_dsl.run.preparing.make", lambda catalog, ref: trainer)
        return Preparing(
            plan=plan,
            catalog=workshop.catalog,
            train=plan.phases[0].train,
            model=model.load(None),
            say=workshop.said.append,
        )

    return make


def pool(preparing: Preparing, phase: int = 0):
    return preparing.pool(preparing.plan.phases[phase].mix[0])


def test_samples_are_prepared_once_and_kept(preparing):
    trainer = Counting()
    first = pool(preparing(trainer))
    again = pool(preparing(trainer))
    assert trainer.prepared == 3
    assert [(s.id, list(s.ids)) for s in first] == [(s.id, list(s.ids)) for s in again]
    assert len(entries()) == 1
    assert sorted(p.name for p in entries()[0].iterdir()) == sorted(
        ["bounds", "manifest.json", "name_bounds", "names", "starts", "tokens"]
    )


def test_what_is_kept_is_for_its_user_alone(preparing):
    pool(preparing(Counting()))
    assert cache_folder().stat().st_mode & 0o077 == 0


def test_a_damaged_entry_is_made_anew_and_said(preparing, workshop):
    trainer = Counting()
    before = [list(s.ids) for s in pool(preparing(trainer))]
    (entries()[0] / "tokens").write_bytes(b"????")
    assert [list(s.ids) for s in pool(preparing(trainer))] == before
    assert workshop.said == ["the prepared data of `ones` was damaged and is made anew"]
    workshop.said.clear()
    assert [list(s.ids) for s in pool(preparing(trainer))] == before
    assert (trainer.prepared, workshop.said, len(entries())) == (6, [], 1)


def test_a_cache_that_cannot_be_written_stops_nothing(preparing, workshop):
    cache_folder().parent.mkdir(parents=True)
    cache_folder().write_text("a file where the folder should be")
    assert len(pool(preparing(Counting()))) == 3
    (line,) = workshop.said
    assert line.startswith("the prepared data of `ones` is not kept: cannot write")


def test_samples_that_are_dropped_are_left_out_of_the_pool(preparing, workshop):
    workshop.rows("ones", ["a", "a long text", "b"])
    prepared = pool(preparing(Counting(longest=5)))
    assert [s.id for s in prepared] == ["ones#1", "ones#3"]
    assert (prepared.amounts.samples, prepared.amounts.dropped, prepared.amounts.longest) == (2, 1, 12)


def test_dropping_everything_is_an_error_and_nothing_is_kept(preparing):
    with pytest.raises(DataError, match="all 3 samples of `ones` are too long") as caught:
        pool(preparing(Counting(longest=2)))
    assert caught.value.code == "MR540"
    assert "the longest has 7 tokens" in caught.value.help
    assert entries() == []


def test_entries_that_nobody_used_for_long_go_away_when_one_is_written(preparing):
    pool(preparing(Counting()))
    pool(preparing(Counting()), phase=1)
    long_ago = time.time() - (UNUSED_DAYS + 1) * 24 * 3600
    old, used = entries()
    for entry in (old, used):
        os.utime(entry / MANIFEST, (long_ago, long_ago))
    trainer = Counting()
    for phase in (0, 1):
        if key_in(preparing(trainer), phase) == used.name:
            pool(preparing(trainer), phase)
    assert trainer.prepared == 0
    unfinished = cache_folder() / ".unfinished.tmp"
    unfinished.mkdir()
    os.utime(unfinished, (long_ago, long_ago))
    pool(preparing(trainer), phase=2)
    assert used in entries()
    assert old not in entries()
    assert len(entries()) == 2


def key_in(preparing: Preparing, phase: int) -> str | None:
    from pipeline_dsl.plan.prepared import key_of

    planned = preparing.plan.phases[phase]
    return key_of(preparing.plan, planned.mix[0], planned.train, Counting())


@pytest.mark.parametrize(
    ("dropped", "shortened", "words"),
    [
        (0, 0, None),
        (12, 0, "of 112 samples 12 were dropped (the longest has 700 tokens)"),
        (1, 3, "of 101 samples 1 was dropped and 3 were given shorter prompts (the longest has 700 tokens)"),
    ],
)
def test_what_was_too_long_is_told_in_one_line(dropped, shortened, words):
    from pipeline_dsl.plan.prepared import Amounts

    amounts = Amounts(samples=100, tokens=9, dropped=dropped, shortened=shortened, longest=700)
    assert report(amounts) == words


def test_a_second_run_of_the_same_recipe_prepares_nothing_and_trains_the_same(workshop):
    workshop.run()
    before, kept = workshop.adapter("third"), {p: p.stat().st_ctime_ns for p in entries()}
    assert len(kept) == 3
    workshop.run(fresh=True)
    assert workshop.adapter("third") == before
    assert {p: p.stat().st_ctime_ns for p in entries()} == kept
    assert workshop.phase("first")["data"] == {
        "samples": 3, "tokens": 21, "dropped": 0, "shortened": 0, "longest": 7,
    }  # fmt: skip


class Reuse(RuleBasedStateMachine):
    """Data, limit and the trainer's options change back and forth: prepared anew exactly at what is new."""

    workshop = None
    preparing = None

    @initialize()
    def begin(self) -> None:
        for entry in entries():
            for file in entry.iterdir():
                file.unlink()
            entry.rmdir()
        self.text, self.limit, self.longest = "a", None, 99
        self.known: set[tuple[str, int | None, int]] = set()

    @rule(text=st.sampled_from("ab"))
    def write(self, text: str) -> None:
        self.text = text

    @rule(limit=st.sampled_from([None, 1, 2]))
    def bound(self, limit: int | None) -> None:
        self.limit = limit

    @rule(longest=st.sampled_from([98, 99]))
    def lengthen(self, longest: int) -> None:
        self.longest = longest

    @rule()
    def touch(self) -> None:
        self.workshop.folder.joinpath("ones.jsonl").touch()

    @invariant()
    def it_is_prepared_exactly_if_it_is_new(self) -> None:
        shop, state = self.workshop, (self.text, self.limit, self.longest)
        shop.rows("ones", [f"{self.text} {n}" for n in range(3)])
        trainer = Counting(longest=self.longest)
        plan = dataclasses.replace(hash_files(shop.planned), max_samples=self.limit)
        made = pool(type(self).preparing(trainer, plan))
        assert (trainer.prepared > 0) == (state not in self.known)
        assert ["".join(map(chr, s.ids[:-1])) for s in made] == [
            f"{self.text} {n}" for n in range(self.limit or 3)
        ]
        self.known.add(state)


def test_prepared_data_is_reused_exactly_while_the_keys_are_equal(workshop, preparing):
    from hypothesis.stateful import run_state_machine_as_test

    workshop.planned = workshop.plan()
    machine = type("Machine", (Reuse,), {"workshop": workshop, "preparing": staticmethod(preparing)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=8, stateful_step_count=12, deadline=None)
    )
