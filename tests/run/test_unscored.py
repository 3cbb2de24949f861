"""Runs that score no task."""

from __future__ import annotations

import pytest

from pipeline_dsl.plan.unscored import NeedsScoresError, refuse_unscored


def test_a_run_without_scores_trains_the_same_and_is_scored_when_it_is_resumed_with_them(workshop):
    scored = workshop.run()
    blind = workshop.run(scoring=False, fresh=True)
    assert blind.status == "finished"
    assert "evaluation_completed" not in workshop.recorder.names
    assert not (blind.folder / "retention.json").exists()
    for phase in ("first", "second", "third"):
        assert workshop.adapter(phase, blind.folder) == workshop.adapter(phase, scored.folder)
    workshop.run(resume=blind.id, fresh=True)
    assert "iteration_completed" not in workshop.recorder.names
    before, after = ((run.folder / "retention.json").read_text("utf-8") for run in (scored, blind))
    assert before == after


def test_evaluations_in_training_are_left_out_too(workshop, hooked, recipe):
    workshop.run(hooked(recipe, "epoch_completed, 1, null, evaluate"), scoring=False)
    assert "evaluation_completed" not in workshop.recorder.names


RETAIN = "        retain |task, keep|\n            ones, 0.9\n"


def test_what_goes_by_scores_is_refused_without_them(workshop, recipe):
    text = recipe.replace("    third:\n", f"{RETAIN}    third:\n")
    with pytest.raises(NeedsScoresError, match="for `retain` of the phase `second`") as caught:
        refuse_unscored(workshop.plan(text))
    assert (caught.value.exit_code, caught.value.code) == (2, "MR311")


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ("evaluation_completed, 1, null, {use: keep_best, task: ones}", "keep_best"),
        ("epoch_completed, 1, null, {use: early_stop, monitor: ones}", "early_stop"),
        ('epoch_completed, 1, "ones >= 0.9", stop', "stop"),
        ('epoch_completed, 1, "ones.silent < 1", stop', "stop"),
        ("evaluation_completed, 1, null, {use: note, file: notes}", "note"),
        ("epoch_completed, 1, null, {use: early_stop, monitor: loss}", None),
        ('epoch_completed, 1, "loss < 0.1", stop', None),
        ("epoch_completed, 1, null, evaluate", None),
        ('epoch_completed, 1, "ones >= 0.9", checkpoint', None),
    ],
)
def test_actions_are_refused_if_they_go_by_scores(workshop, hooked, recipe, row, refused):
    scored = "epoch_completed, 1, null, evaluate"
    plan = workshop.plan(hooked(recipe, scored, row))
    if refused is None:
        refuse_unscored(plan)
    else:
        with pytest.raises(NeedsScoresError, match=f"for the action `{refused}`"):
            refuse_unscored(plan)
