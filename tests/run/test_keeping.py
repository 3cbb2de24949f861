"""Which weights a phase ends with, and when: `keep_best` and `early_stop`, through interruptions."""

from __future__ import annotations

import json

import pytest

from pipeline_dsl.api import MedrecipeError

SCORED = "iteration_completed, 1, null, {use: evaluate, tasks: [ones, calm]}"
KEEP = "evaluation_completed, 1, null, {use: keep_best, task: ones}"
STOP = "evaluation_completed, 1, null, {use: early_stop, monitor: ones, patience: 3}"


@pytest.fixture
def first(recipe):
    """The first phase alone: three texts, each seen once an epoch, each step forgetting some of the others.

    How many of them are known after each step is therefore 1, 1, 1, … until two are.
    """
    text = recipe[: recipe.index("    second:\n")]
    return text.replace("    first:\n", "    first:\n        train: {OPTIONS}\n")


@pytest.fixture
def make(first, hooked, tmp_path):
    """The phase with hooks and options of its trainer."""

    def change(*rows: str, **options) -> str:
        wanted = {"epochs": 4, "forget": 0.3} | options
        words = ", ".join(f"{k}: {json.dumps(v)}" for k, v in wanted.items())
        return hooked(first.replace("OPTIONS", words), *rows)

    return change


def scores(workshop, folder=None) -> dict[int, float]:
    """The scores of `ones` in training, by step."""
    lines = (folder or workshop.last).joinpath("logs", "ones.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return {line["step"]: line["value"] for line in found if line["step"] is not None}


def best(found: dict[int, float]) -> int:
    return max(found, key=lambda step: (found[step], -step))


def test_a_phase_ends_with_the_weights_of_its_best_step(workshop, make):
    workshop.run(make(SCORED, KEEP))
    found = scores(workshop)
    step = best(found)
    assert 1 <= step < max(found) == 12
    metrics = workshop.phase("first")["metrics"]
    assert (metrics["steps"], metrics["kept_step"]) == (12, step)
    assert metrics["ones"] == found[step]
    assert f"first: the weights of step {step} are kept: ones {found[step]:.4g}" in workshop.said
    kept = workshop.adapter("first")
    workshop.run(make(f"iteration_completed, {step}, null, stop"), fresh=True)
    assert workshop.adapter("first") == kept


def test_an_evaluation_of_another_task_sets_nothing_off(workshop, make):
    seldom = "iteration_completed, 100, null, {use: evaluate, tasks: [ones]}"
    workshop.run(make("iteration_completed, 1, null, {use: evaluate, tasks: [calm]}", seldom, KEEP, STOP))
    metrics = workshop.phase("first")["metrics"]
    assert (metrics["steps"], metrics["kept_step"], metrics["stopped"]) == (12, None, None)
    said = "first: no score had weights kept; those of the last step are the result"
    assert said in workshop.said


def test_each_evaluation_of_a_task_is_one_look(workshop, make):
    workshop.run(make(SCORED, STOP, KEEP))
    found, metrics = scores(workshop), workshop.phase("first")["metrics"]
    assert metrics["steps"] == metrics["kept_step"] + 3, "patience 3"
    assert metrics["kept_step"] == best(found)
    said = f"ones did not get better than {found[best(found)]:.4g} in 3 looks"
    assert metrics["stopped"] == said
    assert f"first: stopping: {said}" in workshop.said


@pytest.mark.parametrize("step", range(1, 5))
@pytest.mark.parametrize("how", ["signal_at", "break_at"])
def test_an_interrupted_phase_keeps_and_stops_as_if_nothing_had_been(workshop, make, tmp_path, step, how):
    rows = (SCORED, STOP, KEEP)
    workshop.run(make(*rows, save_steps=1))
    expected, whole = workshop.phase("first")["metrics"], workshop.adapter("first")
    text = make(*rows, save_steps=2, once=str(tmp_path / "once"), **{how: step})
    if how == "signal_at":
        assert workshop.run(text, fresh=True).status == "interrupted"
    else:
        with pytest.raises(MedrecipeError, match="the toy broke"):
            workshop.run(text, fresh=True)
    folder = workshop.last
    assert workshop.run(text, resume=folder.name, fresh=True).status == "finished"
    assert workshop.adapter("first") == whole
    found = workshop.phase("first")["metrics"]
    assert {k: found[k] for k in ("steps", "kept_step", "stopped", "ones")} == {
        k: expected[k] for k in ("steps", "kept_step", "stopped", "ones")
    }


def test_a_phase_that_was_told_to_stop_does_not_train_on_after_a_crash(workshop, make, monkeypatch):
    """The wish to stop is remembered with the checkpoint of its step, which a crash may leave as the last."""
    text = make(SCORED, STOP, KEEP, save_steps=1)
    workshop.run(text)
    expected = workshop.phase("first")["metrics"]["steps"]

    def broken(self, model, name, folder):
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(workshop.toy.ToyAdapter, "save", broken)
        with pytest.raises(MedrecipeError, match="the adapter `toy_plugin/table` failed at save: OSError"):
            workshop.run(text, fresh=True)
    workshop.run(text, resume=workshop.last.name, fresh=True)
    assert workshop.recorder.of("iteration_completed") == []
    assert workshop.phase("first")["metrics"]["steps"] == expected


def test_what_an_action_remembers_has_to_be_json(workshop, make, monkeypatch):
    monkeypatch.setattr(workshop.toy.Note, "state", lambda self: {"no": object()}, raising=False)
    text = make("iteration_completed, 1, null, {use: note, file: notes}")
    with pytest.raises(MedrecipeError, match="the action `toy_plugin/note` failed at its state: TypeError"):
        workshop.run(text)


def test_each_stage_keeps_weights_of_its_own_and_the_next_one_goes_on_from_them(workshop, make):
    stages = "        stages |stage, at_most|\n            short, 6\n            long, null\n"
    text = make(SCORED, KEEP).replace("        task: ones\n", f"        task: ones\n{stages}")
    workshop.run(text)
    record = workshop.phase("first")
    kept = [stage["kept_step"] for stage in record["stages"]]
    assert all(step is not None for step in kept)
    assert record["metrics"]["kept_step"] == 6 + kept[1]
    for name, step in zip(("short", "long"), (kept[0], 6 + kept[1]), strict=True):
        assert any(
            line.startswith(f"first/{name}: the weights of step {step} are kept") for line in workshop.said
        )
