"""Weights that the trainer is told to keep: the last of them are the result, whatever happens in between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrecipe_plugins.trainers import _checkpoints, _seals
from pipeline_dsl.api import Control, MachineError

KEEP = Control(keep=True)
STOP_AND_SAVE = Control(stop=True, checkpoint=True)


def kept_at(*steps: int) -> dict[tuple[str, int], Control]:
    return {("iteration_completed", step): KEEP for step in steps}


def names(bench) -> list[str]:
    return sorted(p.name for p in (bench.folder / "train").iterdir())


def test_the_result_has_the_weights_of_the_step_that_was_kept_last(bench, llama, same):
    short, long = llama(), llama()
    bench.train(short, folder="short", answers={("iteration_completed", 4): Control(stop=True)})
    outcome, told = bench.train(long, answers=kept_at(2, 4))
    assert same(long, short)
    assert (outcome.steps, outcome.kept_step) == (6, 4)
    assert told.names[-1] == "completed"


def test_without_anything_kept_the_last_weights_are_the_result(bench, llama):
    outcome, _ = bench.train(llama())
    assert outcome.kept_step is None


def test_kept_weights_are_the_result_of_a_training_that_was_stopped_too(bench, llama, same):
    short, stopped = llama(), llama()
    bench.train(short, folder="short", answers={("iteration_completed", 2): Control(stop=True)})
    outcome, _ = bench.train(stopped, answers={**kept_at(2), ("iteration_completed", 5): Control(stop=True)})
    assert same(stopped, short)
    assert (outcome.steps, outcome.kept_step) == (5, 2)


@pytest.mark.parametrize(
    "event", ["epoch_completed", "checkpoint_saved", "iteration_started", "epoch_started"]
)
def test_the_weights_are_those_of_the_moment_at_which_they_are_wanted(bench, llama, same, event):
    short, long = llama(), llama()
    bench.train(short, folder="short", answers={("iteration_completed", 3): Control(stop=True)})
    outcome, _ = bench.train(long, save_steps=3, answers={(event, 3): KEEP})
    assert same(long, short)
    assert outcome.kept_step == 3


def test_weights_kept_at_the_very_end_are_the_last(bench, llama, same):
    plain, kept = llama(), llama()
    bench.train(plain, folder="plain")
    outcome, _ = bench.train(kept, answers={**kept_at(2), ("completed", 6): KEEP})
    assert same(kept, plain)
    assert outcome.kept_step == 6


@pytest.mark.parametrize("kept", [(2,), (2, 5), (4,), (5,), (3,)])
@pytest.mark.parametrize("cut", [3, 4])
def test_resuming_gives_the_same_kept_weights(bench, llama, same, kept, cut):
    whole, fresh = llama(), llama()
    expected, _ = bench.train(whole, folder="whole", answers=kept_at(*kept))
    answers = kept_at(*(step for step in kept if step < cut))
    wish = Control(stop=True, checkpoint=True, keep=cut in kept)
    bench.train(llama(), answers={**answers, ("iteration_completed", cut): wish})
    outcome, _ = bench.train(fresh, resume=True, answers=kept_at(*(step for step in kept if step > cut)))
    assert outcome == expected
    assert same(fresh, whole)


class Gone(BaseException):
    """The process is gone."""


def test_what_was_kept_after_the_checkpoint_is_kept_again_by_a_killed_training(bench, llama, same):
    class Dying:
        def __call__(self, event):
            if (event.name, event.step) == ("iteration_started", 5):
                raise Gone
            wish = event.name == "iteration_completed"
            return Control(checkpoint=wish and event.step == 3, keep=wish and event.step in {1, 4})

    whole, fresh = llama(), llama()
    bench.train(whole, folder="whole", answers=kept_at(1, 4))
    with pytest.raises(Gone):
        bench.train(llama(), fire=Dying())
    assert names(bench) == ["checkpoint-3", "kept-1", "kept-4"], "checkpoint 3 still needs what counted then"
    outcome, _ = bench.train(fresh, resume=True, answers=kept_at(4))
    assert outcome.kept_step == 4
    assert same(fresh, whole)


def test_a_training_that_was_told_to_stop_at_its_checkpoint_is_loaded_and_nothing_more(bench, llama, same):
    done, again = llama(), llama()
    answers = {**kept_at(2), ("iteration_completed", 4): STOP_AND_SAVE}
    expected, _ = bench.train(done, answers=answers)
    told_again = {("started", 4): Control(stop=True, reason="told to stop at iteration_completed")}
    outcome, told = bench.train(again, resume=True, answers=told_again)
    assert outcome == expected
    assert told.names == ["started", "terminated"]
    assert same(again, done)


def test_weights_that_are_superseded_go_away_and_rotation_leaves_those_that_count(bench, llama):
    bench.train(llama(), save_steps=1, save_total_limit=1, answers=kept_at(1, 2))
    assert names(bench) == ["checkpoint-6", "kept-2"]


def test_without_resume_what_was_kept_earlier_is_gone(bench, llama):
    bench.train(llama(), answers=kept_at(2))
    outcome, _ = bench.train(llama())
    assert outcome.kept_step is None
    assert names(bench) == []


def test_a_checkpoint_whose_kept_weights_are_damaged_is_set_aside(bench, llama, same):
    whole, fresh = llama(), llama()
    bench.train(whole, folder="whole", answers=kept_at(3))
    bench.train(llama(), answers={
        **kept_at(3), ("iteration_completed", 2): Control(checkpoint=True), ("iteration_completed", 4): STOP_AND_SAVE,
    })  # fmt: skip
    (bench.folder / "train" / "kept-3" / "trainable.safetensors").write_bytes(b"damage")
    outcome, told = bench.train(fresh, resume=True, talks=True, answers=kept_at(3))
    assert told.of("iteration_completed")[0].step == 3
    assert bench.said[0].startswith("first: checkpoint-4 cannot be trusted: it needs kept-3, of which ")
    assert "damaged-checkpoint-4" in names(bench)
    assert outcome.kept_step == 3
    assert same(fresh, whole)


def test_a_disk_that_takes_no_weights_is_a_machine_error_and_what_was_kept_stays(bench, llama, monkeypatch):
    seal = _seals.seal

    def full(folder):
        if folder.name == ".kept-4.tmp":
            raise OSError(28, "No space left on device")
        seal(folder)

    monkeypatch.setattr(_seals, "seal", full)
    with pytest.raises(MachineError, match="the weights of step 4 cannot be kept") as caught:
        bench.train(llama(), answers=kept_at(2, 4))
    assert caught.value.exit_code == 5
    assert names(bench) == ["kept-2"]


def fill(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "weights").write_text(folder.name)


STEPS = st.lists(
    st.tuples(st.sampled_from(["step", "save", "keep", "crash"]), st.integers(1, 3)), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(events=STEPS, limit=st.sampled_from([None, 1, 2]))
def test_the_newest_checkpoint_and_all_weights_that_count_are_never_deleted(tmp_path_factory, events, limit):
    folder = tmp_path_factory.mktemp("kept")
    step, saved, kept = 0, [], []
    for what, amount in events:
        if what == "step":
            step += amount
        elif what == "save" and step not in saved:
            _checkpoints.save(folder, step, fill)
            _checkpoints.rotate(folder, limit)
            saved.append(step)
        elif what == "keep":
            _checkpoints.keep(folder, step, fill)
            kept = sorted({*kept, step})
        elif what == "crash":
            found = _checkpoints.begin(folder, resume=True).checkpoint
            assert found == (_checkpoints.path_of(folder, saved[-1]) if saved else None)
            step = saved[-1] if saved else 0
            kept = [k for k in kept if saved and k <= step]
        check(folder, saved, kept)
    shutil.rmtree(folder)


def check(folder: Path, saved: list[int], kept: list[int]) -> None:
    now = _checkpoints.kept(folder)
    assert (now and _checkpoints.step_of(now)) == (kept[-1] if kept else None)
    assert now is None or _checkpoints.is_sound(now)
    assert not saved or _checkpoints.is_sound(_checkpoints.path_of(folder, saved[-1]))
    for checkpoint in folder.glob("checkpoint-*"):
        at = _checkpoints.step_of(checkpoint)
        counting = _checkpoints.kept(folder, at)
        before = [k for k in kept if k <= at]
        assert (counting and _checkpoints.step_of(counting)) == (before[-1] if before else None)
    needed = {k for s in [*saved, 10**9] for k in [max((k for k in kept if k <= s), default=None)]}
    assert {_checkpoints.step_of(k) for k in folder.glob("kept-*")} <= needed
