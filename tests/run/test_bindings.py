"""When hooks act: as in Ignite an event's count, then the condition, then how often in a row it has to hold."""

from __future__ import annotations

import json

import pytest

from pipeline_dsl.api import Kind, MedrecipeError, events
from pipeline_dsl.plan.model import HookPlan, ProviderRef
from pipeline_dsl.run.bindings import Bindings
from pipeline_dsl.run.tally import Tally


@pytest.fixture
def bind(workshop):
    """Bindings of hooks that write into a file, and what they wrote: steps, or 0 for events without any."""

    def make(*hooks: tuple[str, int, str | None]):
        path = workshop.folder / "notes.jsonl"
        do = ProviderRef(
            kind=Kind.ACTION,
            name="note",
            plugin="toy_plugin",
            version="1",
            options={"file": str(path), "fail": False},
        )
        bindings = Bindings(
            [HookPlan(on=on, every=every, when=when, do=do) for on, every, when in hooks], workshop.catalog
        )

        def notes() -> list[int]:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            return [json.loads(line)["step"] or 0 for line in lines]

        return bindings, notes

    return make


def point(step: int, epoch: int = 1) -> dict:
    return {"phase": "p", "step": step, "max_steps": 20, "epoch": epoch}


def completed(step: int, loss: float = 1.0) -> events.IterationCompleted:
    return events.IterationCompleted(
        **point(step), loss=loss, learning_rate=0.1, grad_norm=1.0, label_tokens=1, seconds=0.1
    )


def tell(bindings, event, **values) -> None:
    bindings.tell(event, values, None)


def test_every_n_acts_when_the_count_is_a_multiple_of_n(bind):
    bindings, notes = bind(("iteration_completed", 3, None))
    for step in range(1, 11):
        tell(bindings, completed(step))
    assert notes() == [3, 6, 9]


def test_an_iteration_that_starts_is_counted_from_one_as_the_one_that_ends(bind):
    bindings, notes = bind(("iteration_started", 3, None))
    for done in range(10):
        tell(bindings, events.IterationStarted(**point(done)))
    assert notes() == [2, 5, 8]


def test_epochs_are_counted_by_their_number(bind):
    bindings, notes = bind(("epoch_completed", 2, None))
    for epoch in range(1, 6):
        tell(bindings, events.EpochCompleted(**point(epoch * 10, epoch), loss=1.0))
    assert notes() == [20, 40]


def test_the_count_goes_on_across_a_resume(bind):
    bindings, notes = bind(("iteration_completed", 5, None), ("epoch_started", 3, None))
    for step in range(8, 13):
        tell(bindings, completed(step))
    tell(bindings, events.EpochStarted(**point(12, 3)))
    assert notes() == [10, 12]


def test_other_events_are_counted_as_they_come(bind):
    bindings, notes = bind(("checkpoint_saved", 2, None))
    for step in (3, 7, 9, 12):
        tell(bindings, events.CheckpointSaved(**point(step), folder="x"))
    assert notes() == [7, 12]


def test_a_hook_acts_on_its_own_event_only(bind):
    bindings, notes = bind(("epoch_completed", 1, None))
    tell(bindings, completed(1))
    assert notes() == []


def test_a_condition_decides_where_the_count_fits(bind):
    bindings, notes = bind(("iteration_completed", 2, "loss < 0.5"))
    for step, loss in enumerate((0.1, 0.9, 0.1, 0.4, 0.4, 0.6), 1):
        tell(bindings, completed(step, loss), loss=loss)
    assert notes() == [4]


def test_a_condition_on_what_is_not_known_yet_does_not_hold(bind):
    bindings, notes = bind(
        ("iteration_completed", 1, "exam > 0.5"), ("iteration_completed", 1, "not exam > 0.5")
    )
    tell(bindings, completed(1))
    tell(bindings, completed(2), exam=0.6)
    assert notes() == [2]


def test_for_n_asks_for_n_looks_in_a_row(bind):
    bindings, notes = bind(("iteration_completed", 1, "loss < 0.5 for 2"))
    for step, loss in enumerate((0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1), 1):
        tell(bindings, completed(step, loss), loss=loss)
    assert notes() == [4, 5]


def test_looks_are_those_at_which_the_count_fits(bind):
    bindings, notes = bind(("iteration_completed", 2, "loss < 0.5 for 2"))
    for step, loss in enumerate((0.9, 0.1, 0.9, 0.1, 0.9, 0.1), 1):
        tell(bindings, completed(step, loss), loss=loss)
    assert notes() == [4, 6]


def test_a_streak_goes_on_from_kept_counts(bind):
    rule = ("iteration_completed", 1, "loss < 0.5 for 3")
    before, _ = bind(rule)
    for step in (1, 2):
        tell(before, completed(step, 0.1), loss=0.1)
    after, notes = bind(rule)
    after.go_on(json.loads(json.dumps(before.state())))
    tell(after, completed(3, 0.1), loss=0.1)
    assert notes() == [3]


def test_counts_of_other_hooks_are_refused(bind):
    bindings, _ = bind(("iteration_completed", 1, None))
    with pytest.raises(ValueError, match="zip"):
        bindings.go_on([{"seen": 0, "streak": 0}] * 2)


def test_hooks_act_in_the_order_of_the_recipe(bind):
    bindings, notes = bind(("iteration_completed", 1, "loss > 0"), ("iteration_completed", 1, None))
    tell(bindings, completed(1), loss=1.0)
    assert notes() == [1, 1]


def test_an_action_that_fails_is_named(workshop):
    do = ProviderRef(
        kind=Kind.ACTION, name="note", plugin="toy_plugin", version="1", options={"file": "x", "fail": True}
    )
    bindings = Bindings([HookPlan(on="iteration_completed", every=1, when=None, do=do)], workshop.catalog)
    with pytest.raises(
        MedrecipeError, match="the action `toy_plugin/note` failed at iteration_completed: ZeroDivisionError"
    ):
        tell(bindings, completed(1))


def state(n: int) -> dict:
    return {"counts": [[0, n]], "scores": {"exam": n / 10}}


def test_a_tally_goes_back_to_what_was_the_case_at_a_step(tmp_path):
    tally = Tally(tmp_path)
    tally.go_back(0, state(0))
    for step in range(1, 10):
        tally.keep(step, state(step // 3))
    again = Tally(tmp_path)
    assert again.go_back(7, state(0)) == state(2)
    again.keep(8, state(5))
    assert Tally(tmp_path).go_back(8, state(0)) == state(5)
    assert Tally(tmp_path).go_back(3, state(0)) == state(1)


def test_a_tally_writes_only_what_changed(tmp_path):
    tally = Tally(tmp_path)
    tally.go_back(0, state(0))
    for step in range(1, 10):
        tally.keep(step, state(0))
    assert not (tmp_path / "hooks.jsonl").exists()


def test_a_training_that_begins_anew_forgets_the_tally(tmp_path):
    tally = Tally(tmp_path)
    tally.go_back(0, state(0))
    tally.keep(4, state(1))
    assert Tally(tmp_path).go_back(0, state(0)) == state(0)
    assert Tally(tmp_path).go_back(4, state(0)) == state(0)


def test_case_72_a_torn_line_of_a_tally_is_passed_over(tmp_path):
    tally = Tally(tmp_path)
    tally.go_back(0, state(0))
    tally.keep(4, state(1))
    with (tmp_path / "hooks.jsonl").open("a") as file:
        file.write('{"step": 5, "cou')
    assert Tally(tmp_path).go_back(5, state(0)) == state(1)
