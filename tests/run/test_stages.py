"""Phases in stages: what each trains on, when it ends, what is kept, and going on exactly."""

from __future__ import annotations

import json
import os

import pytest

from pipeline_dsl.api import GuardError, ModelError
from pipeline_dsl.api.hooks import hookimpl
from pipeline_dsl.plan.plan_json import from_json
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder

FEW = 'few, null, 2, "twos >= 0.5 for 2", 0.75'
ALL = "all, null, null, null, null"


def staged(recipe: str, *rows: str, hooks: tuple[str, ...] = (), train: str = "epochs: 2") -> str:
    """The recipe with stages in its second phase, which has four texts to learn in two epochs."""
    stages = "        stages |stage, template, samples, until, at_most|\n" + lines(rows)
    stages += "        hooks |on, every, when, do|\n" + lines(hooks) if hooks else ""
    return recipe.replace("    third:\n", f"{stages}    third:\n").replace(
        "    second:\n", f"    second:\n        train: {{{train}}}\n"
    )


def lines(rows: tuple[str, ...]) -> str:
    return "".join(f"            {row}\n" for row in rows)


def of_second(workshop, name: str) -> list:
    return [e for e in workshop.recorder.of(name) if e.phase == "second"]


def stage_record(workshop, stage: str, run=None) -> dict:
    path = (run or workshop.last) / "phases" / "second" / "stages" / stage / "stage.json"
    return json.loads(path.read_text("utf-8"))


def known(workshop, folder) -> dict[str, float]:
    return json.loads((folder / "adapter.json").read_text("utf-8"))["table"]


def test_stages_are_trainings_one_after_the_other_on_the_same_adapters(workshop, recipe):
    run = workshop.run(staged(recipe, "few, null, 2, null, 0.5", ALL))
    assert run.status == "finished"
    second = run.folder / "phases" / "second"
    assert known(workshop, second / "stages" / "few" / "adapter") == {"twos 0": 2.0, "twos 1": 2.0}
    assert known(workshop, second / "adapter") == {"twos 0": 3.0, "twos 1": 3.0, "twos 2": 1.0, "twos 3": 1.0}
    assert workshop.adapter("second") == (second / "stages" / "all" / "adapter" / "adapter.json").read_bytes()
    record = workshop.phase("second")
    assert [(s["name"], s["steps"]) for s in record["stages"]] == [("few", 4), ("all", 4)]
    assert (record["metrics"]["steps"], record["metrics"]["epochs"]) == (8, 3.0)


def test_listeners_see_one_course_of_steps_and_where_a_stage_ends(workshop, recipe):
    workshop.run(staged(recipe, "few, null, 2, null, 0.5", ALL))
    steps = of_second(workshop, "iteration_completed")
    assert [(e.step, e.max_steps, e.epoch) for e in steps] == [
        (1, 8, 1), (2, 8, 1), (3, 8, 2), (4, 8, 2), (5, 8, 3), (6, 8, 3), (7, 8, 3), (8, 8, 3),
    ]  # fmt: skip
    outline = [word for word in workshop.recorder.outline() if "second" in word and "eval" not in word]
    assert outline == [
        f"{name} second"
        for name in ("phase_start", "model_ready", "stage_started", "started", "completed", "stage_completed",
                     "stage_started", "started", "completed", "stage_completed", "phase_end")
    ]  # fmt: skip
    assert [(e.stage, e.index, e.total, e.max_steps) for e in of_second(workshop, "stage_started")] == [
        ("few", 0, 2, 4), ("all", 1, 2, 4),
    ]  # fmt: skip
    told = [(line["event"], line["stage"]) for line in workshop.metrics() if "stage" in line]
    assert told == [(f"stage_{what}", s) for s in ("few", "all") for what in ("started", "completed")]


def test_a_stages_template_is_for_the_main_source_alone(workshop, recipe):
    text = staged(recipe, 'loud, {use: custom, prompt: "", completion: "{text}!"}, null, null, 0.5', ALL)
    text = text.replace(
        "            twos, plain_text, 1\n",
        "            twos, plain_text, 3\n            ones, plain_text, 1\n",
    )
    run = workshop.run(text)
    table = known(workshop, run.folder / "phases" / "second" / "stages" / "loud" / "adapter")
    assert {t for t in table if "twos" in t} == {f"twos {n}!" for n in range(4)}
    assert all(not t.endswith("!") for t in table if "ones" in t)


def test_until_ends_a_stage_and_the_rest_goes_to_the_next(workshop, recipe):
    run = workshop.run(staged(recipe, FEW, ALL))
    few, every = workshop.phase("second")["stages"]
    assert (few["steps"], few["max_steps"], few["reached"], few["figures"]) == (4, 6, True, {"twos": 0.5})
    assert "twos >= 0.5 for 2" in few["stopped"]
    assert (every["steps"], every["reached"]) == (4, None)
    scored = [(e.task, e.step) for e in of_second(workshop, "evaluation_completed") if e.step is not None]
    assert scored == [("twos", 2), ("twos", 4)]
    assert [e.reason for e in of_second(workshop, "terminated")] == [few["stopped"]]
    assert run.status == "finished"


def test_until_may_hold_at_the_very_last_step(workshop, recipe):
    workshop.run(staged(recipe, 'few, null, 2, "twos >= 0.5 for 2", 4', ALL))
    few = workshop.phase("second")["stages"][0]
    assert (few["steps"], few["max_steps"], few["reached"]) == (4, 4, True)


def test_a_bound_within_an_epoch_is_scored_at_its_end(workshop, recipe):
    workshop.run(staged(recipe, 'few, null, null, "twos >= 0.75", 3', ALL))
    few = workshop.phase("second")["stages"][0]
    assert (few["steps"], few["reached"], few["figures"]) == (3, True, {"twos": 0.75})


def test_a_task_that_a_hook_scored_at_a_step_is_one_look(workshop, recipe):
    hooks = ("iteration_completed, 2, null, {use: evaluate, tasks: [twos]}",)
    workshop.run(staged(recipe, FEW, ALL, hooks=hooks))
    assert workshop.phase("second")["stages"][0]["steps"] == 4
    scored = [e.step for e in of_second(workshop, "evaluation_completed") if e.step is not None]
    assert scored == [2, 4, 6, 8]


def test_a_hooks_scores_in_mid_epoch_count(workshop, recipe):
    hooks = ("iteration_completed, 1, null, {use: evaluate, tasks: [twos]}",)
    workshop.run(staged(recipe, 'few, null, null, "twos >= 0.25 for 2", 0.75', ALL, hooks=hooks))
    assert workshop.phase("second")["stages"][0]["steps"] == 2


def test_scores_from_before_a_stage_do_not_count(workshop, recipe):
    rows = 'few, null, 2, "twos >= 0.5", 4', 'again, null, 2, "twos >= 0.5 for 2", null'
    workshop.run(staged(recipe, *rows, train="epochs: 3"))
    assert [s["steps"] for s in workshop.phase("second")["stages"]] == [2, 4]


def test_two_tasks_are_looked_at_together(workshop, recipe):
    workshop.run(staged(recipe, 'few, null, 2, "twos >= 0.5 and ones.silent < 1 for 2", 0.75', ALL))
    few = workshop.phase("second")["stages"][0]
    assert (few["steps"], few["figures"]) == (4, {"twos": 0.5, "ones.silent": 0.0})


def test_case_71_a_stage_that_never_comes_to_its_end_fails_the_phase(workshop, recipe):
    text = staged(recipe, 'few, null, 2, "twos >= 0.9", 0.75', ALL)
    with pytest.raises(GuardError) as caught:
        workshop.run(text)
    error = caught.value
    assert (error.code, error.exit_code) == ("MR485", 6)
    for word in ("`few`", "`second`", "twos >= 0.9", "6 steps", "last twos 0.5"):
        assert word in error.message
    assert workshop.phase("second")["status"] == "failed"
    second = workshop.last / "phases" / "second"
    assert known(workshop, second / "stages" / "few" / "adapter") == {"twos 0": 3.0, "twos 1": 3.0}
    assert not (second / "adapter").exists()
    assert stage_record(workshop, "few")["reached"] is False
    with pytest.raises(GuardError, match=r"twos >= 0\.9"):
        workshop.run(text, resume=workshop.last.name)
    assert workshop.recorder.of("iteration_completed") == []


def test_a_stage_that_is_stopped_before_its_end_fails_too_and_says_why(workshop, recipe):
    text = staged(recipe, FEW, ALL, hooks=("iteration_completed, 3, null, stop",))
    with pytest.raises(GuardError, match="stop at iteration_completed"):
        workshop.run(text)


def test_an_action_that_stops_a_stage_lets_the_next_one_begin(workshop, recipe):
    hooks = ("iteration_completed, 1, step == 3, stop",)
    workshop.run(staged(recipe, "few, null, 2, null, 0.5", ALL, hooks=hooks))
    assert [s["steps"] for s in workshop.phase("second")["stages"]] == [3, 5]


def test_a_stage_without_steps_is_told_before_anything_is_trained(workshop, recipe):
    with pytest.raises(GuardError) as caught:
        workshop.run(staged(recipe, "few, null, 2, null, 8", ALL))
    assert caught.value.code == "MR486"
    assert of_second(workshop, "started") == []


def test_hooks_count_anew_in_each_stage_but_steps(workshop, recipe):
    notes = workshop.folder / "notes"
    hooks = (
        f"started, 2, null, {{use: note, file: {notes}}}",
        f"iteration_completed, 3, null, {{use: note, file: {notes}}}",
    )
    workshop.run(staged(recipe, "few, null, 2, null, 0.5", ALL, hooks=hooks))
    told = [json.loads(line) for line in notes.read_text().splitlines()]
    assert [(t["event"], t["step"]) for t in told] == [("iteration_completed", 3), ("iteration_completed", 6)]


def test_each_stage_has_an_order_of_samples_of_its_own(workshop, recipe):
    workshop.rows("twos", [f"twos {n}" for n in range(20)])
    run = workshop.run(staged(recipe, "one, null, null, null, 0.5", "two, null, null, null, null"))
    second = run.folder / "phases" / "second" / "stages"
    traces = [
        json.loads((second / s / "adapter" / "adapter.json").read_text())["trace"] for s in ("one", "two")
    ]
    assert traces[0] != traces[1]
    assert known(workshop, second / "two" / "adapter") == {f"twos {n}": 2.0 for n in range(20)}


class CutAt:
    """Ends the run, as a signal that nobody catches does, at the n-th event of a phase."""

    class CutError(BaseException):
        pass

    def __init__(self, number: int | None, phase: str = "second") -> None:
        self.number = number
        self.phase = phase
        self.count = 0

    def _hear(self, event) -> None:
        if getattr(event, "phase", None) == self.phase:
            self.count += 1
            if self.count == self.number:
                raise self.CutError

    @hookimpl
    def medrecipe_stage_started(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_started(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_iteration_completed(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_evaluation_completed(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_epoch_completed(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_checkpoint_saved(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_completed(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_terminated(self, event):
        self._hear(event)

    @hookimpl
    def medrecipe_stage_completed(self, event):
        self._hear(event)


@pytest.mark.parametrize("save_steps", [1, 3])
def test_a_run_that_is_cut_off_anywhere_in_a_stage_goes_on_to_the_same_bytes(workshop, recipe, save_steps):
    text = staged(recipe, FEW, ALL, train=f"epochs: 2, save_steps: {save_steps}")
    counter = CutAt(None)
    straight = workshop.run(text, listeners=[("cut", counter)])
    whole = {p: workshop.adapter(p, straight.folder) for p in ("second", "third")}
    steps = [e.step for e in of_second(workshop, "iteration_completed")]
    places = range(1, counter.count + 1, 1 if os.environ.get("EVERY_WRITE") else 8)
    for place in places:
        with pytest.raises(CutAt.CutError):
            workshop.run(text, fresh=True, listeners=[("cut", CutAt(place))])
        folder = workshop.last
        before = [e.step for e in of_second(workshop, "iteration_completed")]
        done = workshop.run(text, resume=folder.name, fresh=True)
        assert done.status == "finished", place
        assert {p: workshop.adapter(p, folder) for p in whole} == whole, place
        after = [e.step for e in of_second(workshop, "iteration_completed")]
        assert sorted({*before, *after}) == steps, place
        assert stage_record(workshop, "few", folder) == stage_record(workshop, "few", straight.folder)


def test_nothing_that_is_finished_is_trained_again(workshop, recipe):
    text = staged(recipe, "few, null, 2, null, 0.5", ALL)

    class Stops:
        @hookimpl
        def medrecipe_stage_completed(self, event):
            if event.stage == "few":
                raise KeyboardInterrupt

    cut = workshop.run(text, listeners=[("stops", Stops())])
    assert cut.status == "interrupted"
    workshop.run(text, resume=cut.id)
    assert [e.step for e in of_second(workshop, "started")] == [4]
    assert [e.stage for e in of_second(workshop, "stage_started")] == ["all"]


def test_a_damaged_stage_is_done_again(workshop, recipe):
    text = staged(recipe, "few, null, 2, null, 0.5", ALL)
    with pytest.raises(CutAt.CutError):
        workshop.run(text, listeners=[("cut", CutAt(14))])
    folder = workshop.last
    stage = folder / "phases" / "second" / "stages" / "few"
    whole = (stage / "adapter" / "adapter.json").read_bytes()
    (stage / "adapter" / "adapter.json").write_bytes(whole[:-1])
    workshop.run(text, resume=folder.name)
    assert any("the stage is done again" in line for line in workshop.said)
    assert (stage / "adapter" / "adapter.json").read_bytes() == whole
    assert workshop.run(text, fresh=True).status == "finished"
    assert workshop.adapter("second", folder) == workshop.adapter("second")


def test_a_stages_adapter_says_that_it_is_one_and_is_taken_for_no_phases(workshop, recipe):
    text = staged(recipe, "few, null, 2, null, 0.5", ALL)
    run = RunFolder(workshop.run(text).folder)
    plan = from_json(run.read_json("plan.json"))
    phase = plan.phase("second")
    found = manifest.verify(plan, phase, "b", run, "few")
    assert (found["stage"], manifest.verify(plan, phase, "b", run)["stage"]) == ("few", None)
    own = manifest.adapter_folder(run, phase, "b", "few")
    assert (own / found["parents"][0]["folder"]).resolve() == manifest.adapter_folder(
        run, plan.phase("first"), "a"
    )
    (own / "stack.json").replace(run.adapter("second", "b") / "stack.json")
    with pytest.raises(ModelError):
        manifest.verify(plan, phase, "b", run)


def test_checkpoints_go_once_they_are_not_needed(workshop, recipe):
    text = staged(recipe, "few, null, 2, null, 0.5", ALL, train="epochs: 2, save_steps: 1")
    with pytest.raises(CutAt.CutError):
        workshop.run(text, listeners=[("cut", CutAt(20))])
    checkpoints = workshop.last / "phases" / "second" / "checkpoints"
    assert {p.name for p in checkpoints.iterdir()} == {"all"}
    workshop.run(text, resume=workshop.last.name)
    assert not list(workshop.last.glob("phases/*/checkpoints"))


def test_a_phase_in_stages_is_taken_over_whole(workshop, recipe):
    text = staged(recipe, FEW, ALL)
    first = workshop.run(text)
    again = workshop.run(text)
    assert [workshop.phase(p)["status"] for p in ("first", "second", "third")] == ["reused"] * 3
    assert workshop.adapter("second", again.folder) == workshop.adapter("second", first.folder)
