"""Whole runs on the toy model: what happens in which order, and how runs end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_dsl.api import DataError, GuardError, MachineError, MedrecipeError, ModelError, hookimpl
from pipeline_dsl.plan.plan_json import from_json
from pipeline_dsl.run.summary import read_summary

PHASES = ("first", "second", "third")


def test_the_events_of_a_run_come_in_their_documented_order(workshop):
    outcome = workshop.run()
    assert (outcome.status, outcome.exit_code) == ("finished", 0)
    scored = [f"evaluation_completed base {t}" for t in ("ones", "twos", "calm")]
    expected = ["run_start", *scored]
    for phase in PHASES:
        expected += [f"{e} {phase}" for e in ("phase_start", "model_ready", "started", "completed")]
        expected += [f"evaluation_completed {phase} {t}" for t in ("ones", "twos", "calm")]
        expected += [f"phase_end {phase}"]
    assert workshop.recorder.outline() == [*expected, "run_end"]


def test_the_loop_of_a_training_fires_its_events_step_by_step(workshop):
    workshop.run()
    inner = [e for e in workshop.recorder.heard if getattr(e, "phase", "") == "first" and hasattr(e, "step")]
    told = [(e.name, e.step, getattr(e, "epoch", None)) for e in inner if e.name != "evaluation_completed"]
    per_epoch = [
        [("epoch_started", 3 * e, e + 1)]
        + [
            x
            for s in range(3 * e, 3 * e + 3)
            for x in (("iteration_started", s, e + 1), ("iteration_completed", s + 1, e + 1))
        ]
        + [("epoch_completed", 3 * e + 3, e + 1)]
        for e in range(2)
    ]
    assert told == [("started", 0, 1), *per_epoch[0], *per_epoch[1], ("completed", 6, 2)]


def test_every_event_says_which_phase_of_how_many(workshop):
    workshop.run()
    assert [(e.index, e.total, e.reused) for e in workshop.recorder.of("phase_start")] == [
        (0, 3, False), (1, 3, False), (2, 3, False),
    ]  # fmt: skip
    assert [e.adapter for e in workshop.recorder.of("phase_end")] == [f"phases/{p}/adapter" for p in PHASES]
    assert workshop.recorder.of("run_start")[0].phases == PHASES


def test_each_model_is_closed_before_the_next_is_loaded(workshop):
    workshop.run()
    assert workshop.toy.LOADED == ["load", "close"] * 4


def test_the_folder_of_a_run_holds_all_that_it_needs(workshop, recipe):
    outcome = workshop.run()
    assert [outcome.folder] == workshop.folders()
    assert (outcome.folder / "recipe.sdn").read_text("utf-8") == recipe
    plan = from_json(json.loads((outcome.folder / "plan.json").read_text("utf-8")))
    assert all(p.fingerprint for p in plan.phases)
    surroundings = json.loads((outcome.folder / "environment.json").read_text("utf-8"))
    assert surroundings["libraries"] == plan.libraries
    assert (outcome.folder / "artifacts").is_dir()
    for phase in PHASES:
        manifest = json.loads(
            (outcome.folder / "phases" / phase / "adapter" / "stack.json").read_text("utf-8")
        )
        assert manifest["fingerprint"] == plan.phase(phase).fingerprint
    assert not list(outcome.folder.rglob("*.tmp"))


def test_the_matrix_has_a_row_for_the_base_and_one_for_each_phase(workshop):
    folder = workshop.run().folder
    data = json.loads((folder / "retention.json").read_text("utf-8"))
    assert data["rows"] == ["base", *PHASES]
    assert data["tasks"] == ["ones", "twos", "calm"]
    assert [row[:2] for row in data["scores"]] == [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    assert data["forgetting"] == 0
    assert len(data["cells"]) == 12


def test_the_record_of_a_phase_says_what_it_did_and_scored(workshop):
    workshop.run()
    record = workshop.phase("second")
    assert (record["status"], record["own_task"], record["reused_from"]) == ("finished", "twos", None)
    assert record["metrics"]["steps"] == 8
    assert record["metrics"]["twos"] == 1.0


def test_the_history_of_a_run_is_kept(workshop):
    workshop.run()
    lines = workshop.metrics()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    counts = Counter(line["event"] for line in lines)
    assert (counts["iteration_completed"], counts["evaluation_completed"]) == (6 + 8 + 10, 12)
    record = workshop.metadata()
    assert (record["status"], record["phases_done"]) == ("finished", list(PHASES))
    assert record["summary"].keys() == {"ones", "twos", "calm"}


def test_a_second_run_reuses_all_phases_and_scores_nothing_anew(workshop):
    first = workshop.run()
    second = workshop.run()
    assert second.status == "finished"
    assert workshop.toy.LOADED == []
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [True] * 3
    assert "iteration_completed" not in workshop.recorder.names
    for phase in PHASES:
        assert workshop.phase(phase)["status"] == "reused"
        assert workshop.phase(phase)["reused_from"] == first.id
        assert workshop.adapter(phase, first.folder) == workshop.adapter(phase, second.folder)
    one, other = (json.loads((r.folder / "retention.json").read_text("utf-8")) for r in (first, second))
    assert one == other


def test_fresh_trains_and_scores_again(workshop):
    first = workshop.run()
    second = workshop.run(fresh=True)
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [False] * 3
    assert workshop.toy.LOADED == ["load", "close"] * 4
    for phase in PHASES:
        assert workshop.adapter(phase, first.folder) == workshop.adapter(phase, second.folder)


def test_a_reused_run_stands_on_nothing_else(workshop):
    import shutil

    first = workshop.run()
    second = workshop.run()
    shutil.rmtree(first.folder)
    third = workshop.run()
    assert [workshop.phase(p)["reused_from"] for p in PHASES] == [second.id] * 3
    assert third.status == "finished"


def test_what_changed_is_trained_and_what_stands_on_it(workshop, recipe):
    workshop.run()
    workshop.rows("twos", ["other", "words"])
    workshop.run()
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [True, False, False]


def test_only_changed_tasks_are_scored_anew(workshop, recipe):
    workshop.run()
    workshop.run(recipe.replace("calm, threes, plain_text, surprise", "calm, threes, plain_text, recall"))
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [True] * 3
    assert workshop.toy.LOADED == ["load", "close"] * 4
    assert "iteration_completed" not in workshop.recorder.names


def test_renaming_a_phase_takes_it_over_under_its_new_name(workshop, recipe):
    workshop.run()
    outcome = workshop.run(recipe.replace("    first:", "    einst:"))
    assert [workshop.phase(p)["status"] for p in ("einst", "second", "third")] == ["reused"] * 3
    manifest = json.loads(
        (outcome.folder / "phases" / "second" / "adapter" / "stack.json").read_text("utf-8")
    )
    (parent,) = manifest["parents"]
    assert (parent["phase"], parent["folder"]) == ("einst", "../../einst/adapter")


RETAIN = "        retain |task, keep, otherwise|\n            ones, 0.9, {}\n    third:"


def forgetful(recipe: str, otherwise: str) -> str:
    """The second phase forgets what the first learned, and has a contract about it."""
    text = recipe.replace("    third:", RETAIN.format(otherwise))
    return text.replace("    second:\n", "    second:\n        train: {forget: 1.0}\n")


def test_case_70_a_broken_contract_rejects_the_phase(workshop, recipe):
    outcome = workshop.run(forgetful(recipe, "reject"))
    assert (outcome.status, outcome.exit_code) == ("rejected", 6)
    assert workshop.phase("second")["status"] == "rejected"
    assert workshop.phase("second")["contracts"][0]["broken"] is True
    assert workshop.metadata()["status"] == "rejected"
    assert workshop.metadata()["phases_done"] == ["first"]
    assert any("second: retention of ones: broken" in line for line in workshop.said)


def test_case_70_a_rejected_adapter_is_kept_and_not_built_upon(workshop, recipe):
    outcome = workshop.run(forgetful(recipe, "reject"))
    assert workshop.adapter("second")
    assert not (outcome.folder / "phases" / "third").exists()
    assert "phase_start third" not in workshop.recorder.outline()
    assert workshop.recorder.of("phase_end")[-1].status == "rejected"
    assert workshop.recorder.of("run_end")[0].status == "rejected"


def test_a_rejected_phase_stays_rejected_without_training_until_its_contract_changes(workshop, recipe):
    workshop.run(forgetful(recipe, "reject"))
    again = workshop.run(forgetful(recipe, "reject"))
    assert again.status == "rejected"
    assert "iteration_completed" not in workshop.recorder.names
    lenient = workshop.run(forgetful(recipe, "warn"))
    assert lenient.status == "finished"
    assert [e.reused for e in workshop.recorder.of("phase_start")] == [True, True, False]


def test_a_contract_that_warns_lets_the_run_go_on(workshop, recipe):
    outcome = workshop.run(forgetful(recipe, "warn"))
    assert outcome.status == "finished"
    assert workshop.phase("second")["contracts"][0]["broken"] is True
    assert any("broken" in line for line in workshop.said)


@pytest.mark.parametrize("bound", ["ones, keep: 0.9", "calm, rise: 0.05"])
def test_a_kept_contract_says_nothing(workshop, recipe, bound):
    task, _, rule = bound.partition(", ")
    text = recipe.replace("    third:", f"        retain:\n            {task}: {{{rule}}}\n    third:")
    assert workshop.run(text).status == "finished"
    assert not [line for line in workshop.said if not line.startswith("memory: ")]
    assert workshop.phase("second")["contracts"][0]["broken"] is False


class Breaks:
    def __init__(self, event: str, error: Exception) -> None:
        def hear(event):
            raise error

        hear.__name__ = f"medrecipe_{event}"
        setattr(self, hear.__name__, hookimpl(hear))


@pytest.mark.parametrize(
    "event", ["run_start", "phase_start", "model_ready", "started", "iteration_completed", "evaluation_completed", "completed", "phase_end"]
)  # fmt: skip
def test_a_failing_listener_ends_the_run_under_its_name(workshop, event):
    with pytest.raises(
        MedrecipeError, match=f"the plugin `breaker` failed at {event}: ZeroDivisionError: oh"
    ):
        workshop.run(listeners=[("breaker", Breaks(event, ZeroDivisionError("oh")))])
    assert workshop.metadata()["status"] == "failed"
    assert workshop.recorder.of("run_end")[0].status == "failed"


def test_a_listener_that_fails_at_everything_does_not_keep_the_others_from_hearing_the_end(workshop):
    breaker = Breaks("iteration_completed", ZeroDivisionError())
    later = Breaks("run_end", ZeroDivisionError("again"))
    with pytest.raises(MedrecipeError, match="at iteration_completed"):
        workshop.run(listeners=[("breaker", breaker), ("later", later)])
    assert workshop.metadata()["status"] == "failed"


def test_a_listener_that_cannot_be_called_is_told_before_anything_is_written(workshop):
    class Typo:
        @hookimpl
        def medrecipe_run_edn(self, event):
            """Never called."""

    with pytest.raises(MedrecipeError, match="medrecipe_run_edn"):
        workshop.run(listeners=[("typo", Typo())])
    assert not workshop.runs.exists()


def test_a_listener_that_fails_at_the_end_is_told_after_all_have_heard_it(workshop):
    with pytest.raises(MedrecipeError, match="the plugin `breaker` failed at run_end"):
        workshop.run(listeners=[("breaker", Breaks("run_end", ZeroDivisionError()))])
    assert workshop.metadata()["status"] == "finished"


def test_a_failing_action_ends_the_run_under_its_name(workshop, hooked, recipe):
    text = hooked(recipe, "epoch_completed, 2, null, {use: note, file: notes, fail: true}")
    with pytest.raises(MedrecipeError, match="the action `toy_plugin/note` failed at epoch_completed"):
        workshop.run(text)
    assert workshop.metadata()["status"] == "failed"
    assert workshop.phase("first")["status"] == "failed"


def test_a_bug_of_a_trainer_ends_the_run_under_its_name_and_the_record_says_failed(workshop, with_train):
    said = "the trainer `toy_plugin/loop` failed at train: RuntimeError: the toy broke"
    with pytest.raises(MedrecipeError, match=said) as caught:
        workshop.run(with_train("second", break_at=3))
    assert workshop.metadata()["status"] == "failed"
    assert [workshop.phase(p)["status"] for p in ("first", "second")] == ["finished", "failed"]
    (event,) = workshop.recorder.of("exception_raised")
    assert (event.phase, event.message) == ("second", f"MedrecipeError: {said}")
    assert (caught.value.exit_code, type(caught.value.__cause__)) == (1, RuntimeError)
    assert workshop.recorder.outline()[-2:] == ["exception_raised second", "run_end"]


def test_case_69_a_guard_ends_the_run_with_its_code_and_the_finished_phases_stay(workshop, with_train):
    with pytest.raises(GuardError, match="not finite") as caught:
        workshop.run(with_train("second", nan_at=3))
    assert caught.value.exit_code == 6
    assert workshop.adapter("first")
    assert not (workshop.last / "phases" / "second" / "adapter").exists()


def test_a_base_that_cannot_be_had_makes_no_run(workshop, recipe):
    with pytest.raises(ModelError, match="the toy is not here"):
        workshop.run(recipe.replace("{use: toy}", "{use: toy, missing: true}"))
    assert not workshop.runs.exists()


def test_case_58_a_runs_folder_that_cannot_be_written_is_told_before_any_work(workshop):
    workshop.runs.write_text("a file")
    with pytest.raises(MachineError) as caught:
        workshop.run()
    assert caught.value.exit_code == 5
    assert workshop.toy.LOADED == []


def test_case_37_data_that_changes_during_a_run_is_refused_before_it_is_trained_on(workshop):
    class Swaps:
        @hookimpl
        def medrecipe_phase_end(self, event):
            workshop.rows("threes", ["changed", "rows"])

    with pytest.raises(DataError) as caught:
        workshop.run(listeners=[("swaps", Swaps())])
    assert caught.value.code == "MR507"
    assert workshop.phase("first")["status"] == "finished"
    assert not (workshop.last / "phases" / "third" / "adapter").exists()


def test_case_19_a_recipe_that_changes_during_the_run_changes_nothing(workshop, recipe):
    class Edits:
        @hookimpl
        def medrecipe_phase_start(self, event):
            (workshop.folder / "toys.sdn").write_text("recipe: other\n", encoding="utf-8")

    outcome = workshop.run(listeners=[("edits", Edits())])
    assert outcome.status == "finished"
    assert (outcome.folder / "recipe.sdn").read_text("utf-8") == recipe


def notes(workshop) -> list[dict]:
    path = workshop.folder / "notes"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("event", "times"),
    [
        ("run_start", 1), ("phase_start", 3), ("model_ready", 3), ("started", 3), ("epoch_completed", 6),
        ("iteration_completed", 24), ("evaluation_completed", 9), ("completed", 3), ("phase_end", 3), ("run_end", 1),
    ],
)  # fmt: skip
def test_hooks_act_at_every_event_of_a_run(workshop, hooked, recipe, event, times):
    workshop.run(hooked(recipe, f"{event}, 1, null, {{use: note, file: notes}}"))
    assert [n["event"] for n in notes(workshop)] == [event] * times


def test_a_hook_of_one_phase_acts_in_that_phase(workshop, recipe):
    hook = "        hooks |on, every, when, do|\n            epoch_completed, 1, null, {use: note, file: notes}\n"
    workshop.run(recipe.replace("    third:\n", hook + "    third:\n"))
    assert [n["step"] for n in notes(workshop)] == [4, 8]


def test_a_hook_on_what_fails_acts_when_it_fails(workshop, hooked, with_train):
    text = hooked(with_train("second", break_at=3), "exception_raised, 1, null, {use: note, file: notes}")
    with pytest.raises(MedrecipeError):
        workshop.run(text)
    assert [n["event"] for n in notes(workshop)] == ["exception_raised"]


def test_the_failure_of_what_acts_on_a_failure_does_not_hide_it(workshop, hooked, with_train):
    text = hooked(
        with_train("second", break_at=3), "exception_raised, 1, null, {use: note, file: notes, fail: true}"
    )
    with pytest.raises(MedrecipeError, match="the toy broke"):
        workshop.run(text)


def test_hooks_see_numbers_of_the_training_and_scores(workshop, hooked, recipe):
    workshop.run(
        hooked(
            recipe,
            "epoch_completed, 1, null, evaluate",
            'epoch_completed, 1, "ones >= 1 and ones.silent == 0 and epoch == 2", {use: note, file: notes}',
        )
    )
    first = notes(workshop)[0]
    assert first["step"] == 6
    assert first["values"]["max_steps"] == 6
    assert first["values"]["trainable_parameters"] == 6


def test_evaluate_without_tasks_scores_those_of_the_phases_so_far(workshop, hooked, recipe):
    workshop.run(hooked(recipe, "completed, 1, null, evaluate"))
    inside = [e for e in workshop.recorder.of("evaluation_completed") if e.step is not None]
    assert [(e.phase, e.task, e.step) for e in inside] == [
        ("first", "ones", 6), ("second", "ones", 8), ("second", "twos", 8),
        ("third", "ones", 10), ("third", "twos", 10), ("third", "calm", 10),
    ]  # fmt: skip


def test_evaluate_scores_the_tasks_that_it_names(workshop, hooked, recipe):
    workshop.run(hooked(recipe, "completed, 1, null, {use: evaluate, tasks: [calm]}"))
    inside = [e.task for e in workshop.recorder.of("evaluation_completed") if e.step is not None]
    assert inside == ["calm"] * 3


def test_a_task_that_there_is_not_is_told_with_those_that_are(workshop, hooked, recipe):
    with pytest.raises(MedrecipeError, match="there is no task `cold` to evaluate") as caught:
        workshop.run(hooked(recipe, "completed, 1, null, {use: ask, tasks: [cold]}"))
    assert "ones, twos, calm" in caught.value.help


def test_an_evaluation_that_asks_for_another_ends_the_run_and_not_the_stack(workshop, hooked, recipe):
    text = hooked(recipe, "evaluation_completed, 1, null, {use: ask}", "epoch_completed, 1, null, evaluate")
    with pytest.raises(MedrecipeError, match="without end"):
        workshop.run(text)


def test_an_action_that_scores_where_nothing_is_trained_is_told(workshop, hooked, recipe):
    with pytest.raises(MedrecipeError, match="where nothing is being trained"):
        workshop.run(hooked(recipe, "phase_end, 1, null, {use: ask}"))


def test_stopping_ends_the_phase_and_the_next_goes_on(workshop, hooked, recipe):
    outcome = workshop.run(hooked(recipe, 'iteration_completed, 1, "loss <= 0.25", stop'))
    assert outcome.status == "finished"
    assert [workshop.phase(p)["metrics"]["steps"] for p in PHASES] == [4, 4, 4]
    assert [e.reason for e in workshop.recorder.of("terminated")] == ["stop at iteration_completed"] * 3
    assert "first: stopping: stop at iteration_completed" in workshop.said


def test_stopping_at_a_score_after_the_training_does_nothing(workshop, hooked, recipe):
    outcome = workshop.run(hooked(recipe, "evaluation_completed, 1, null, stop"))
    assert outcome.status == "finished"
    assert [workshop.phase(p)["metrics"]["steps"] for p in PHASES] == [6, 8, 10]
    assert not [line for line in workshop.said if not line.startswith("memory: ")]


def test_a_checkpoint_that_an_action_asks_for_is_written_once(workshop, hooked, recipe):
    workshop.run(hooked(recipe, "epoch_completed, 1, null, checkpoint"))
    assert [e.step for e in workshop.recorder.of("checkpoint_saved")] == [3, 6, 4, 8, 5, 10]


def test_case_60_ctrl_c_in_training_finishes_the_step_writes_a_checkpoint_and_says_interrupted(
    workshop, with_train
):
    outcome = workshop.run(with_train("second", signal_at=3))
    assert (outcome.status, outcome.exit_code) == ("interrupted", 130)
    assert workshop.metadata()["status"] == "interrupted"
    assert workshop.phase("second")["status"] == "interrupted"
    assert [e.step for e in workshop.recorder.of("checkpoint_saved")] == [3]
    assert workshop.recorder.of("terminated")[0].reason == "interrupted"
    assert workshop.recorder.of("run_end")[0].status == "interrupted"
    assert "stopping after this step, with a checkpoint; once more stops at once" in workshop.said


def test_case_60_ctrl_c_outside_of_training_stops_at_once(workshop):
    import os
    import signal

    class Presses:
        @hookimpl
        def medrecipe_model_ready(self, event):
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = workshop.run(listeners=[("presses", Presses())])
    assert outcome.status == "interrupted"
    assert "started" not in workshop.recorder.names
    assert workshop.phase("first")["status"] == "interrupted"


def test_case_60_the_second_signal_stops_within_the_step(workshop):
    import os
    import signal

    class Presses:
        @hookimpl
        def medrecipe_iteration_completed(self, event):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = workshop.run(listeners=[("presses", Presses())])
    assert outcome.status == "interrupted"
    assert workshop.recorder.of("checkpoint_saved") == []


def test_the_signals_are_given_back(workshop):
    import signal

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    workshop.run()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_run_in_another_thread_does_without_signals(workshop):
    import threading

    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(workshop.run()))
    thread.start()
    thread.join()
    assert outcomes[0].status == "finished"


def test_a_recipe_without_tasks_runs(workshop, recipe):
    text = recipe[: recipe.index("tasks |")] + recipe[recipe.index("train:") :]
    for task in ("ones", "twos", "calm"):
        text = text.replace(f"        task: {task}\n", "")
    outcome = workshop.run(text)
    assert outcome.status == "finished"
    assert workshop.toy.LOADED == ["load", "close"] * 3
    assert read_summary(outcome.folder).status == "finished"


def test_one_phase_can_train_two_adapters(workshop, recipe):
    text = recipe.replace(
        "            a, merge\n            b, train", "            a, continue\n            b, train"
    )
    outcome = workshop.run(text)
    assert outcome.status == "finished"
    folders = sorted(p.name for p in (outcome.folder / "phases" / "second").glob("adapter*"))
    assert folders == ["adapter-a", "adapter-b"]
    beside = json.loads((outcome.folder / "phases/second/adapter-b/stack.json").read_text("utf-8"))
    assert [(p["adapter"], p["phase"], p["folder"]) for p in beside["parents"]] == [
        ("a", "first", "../../first/adapter")
    ]
    above = json.loads((outcome.folder / "phases/third/adapter/stack.json").read_text("utf-8"))
    assert [(p["adapter"], p["folder"]) for p in above["parents"]] == [
        ("a", "../../second/adapter-a"), ("b", "../../second/adapter-b"),
    ]  # fmt: skip
    assert workshop.run(text).status == "finished"
    assert [workshop.phase(p)["status"] for p in PHASES] == ["reused"] * 3


def test_two_trackers_of_one_kind_are_each_told(workshop, recipe):
    assert workshop.run(recipe + "trackers = [jsonl, jsonl]\n").status == "finished"
    assert Counter(line["event"] for line in workshop.metrics())["run_end"] == 2


def test_case_74_runs_that_start_at_once_get_folders_of_their_own(workshop):
    """Eight processes, forked from one that has imported everything: eight ids, and every history whole."""
    plan = workshop.plan()
    code = (
        "import json, os, sys; from pathlib import Path\n"
        "from pipeline_dsl.plan.plan_json import from_json; from pipeline_dsl.registry import build_catalog\n"
        "from pipeline_dsl.run.request import RunRequest; from pipeline_dsl.run.start import run_plan\n"
        f"plan = from_json(json.loads(Path({str(workshop.folder / 'plan.json')!r}).read_text()))\n"
        "request = RunRequest(plan=plan, recipe_text='', runs=Path(sys.argv[1]), fresh=True)\n"
        "catalog, left = build_catalog(local=plan.plugins), 8\n"
        "while left and (child := os.fork()): left -= 1\n"
        "if left: os.write(1, f'id={run_plan(request, catalog).id}\\n'.encode())\n"
        "else: sys.exit(any(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(8)))\n"
    )
    from pipeline_dsl.plan.plan_json import to_json

    (workshop.folder / "plan.json").write_text(json.dumps(to_json(plan)), encoding="utf-8")
    command = [sys.executable, "-c", code, str(workshop.runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ids = set(re.findall(r"id=(\S+)", done.stdout))
    assert len(ids) == 8
    assert {f.name for f in workshop.folders()} == ids
    for folder in workshop.folders():
        assert read_summary(folder).status == "finished"
        assert [line["seq"] for line in workshop.metrics(folder)] == list(
            range(1, len(workshop.metrics(folder)) + 1)
        )


def test_a_plan_whose_plugin_is_gone_is_told_by_name(workshop):
    from pipeline_dsl.registry import build_catalog

    plan = workshop.plan()
    shop = replace(workshop, catalog=build_catalog())
    with pytest.raises(MachineError, match="toy_plugin/toy"):
        shop.run(plan=plan)
    assert not Path(workshop.runs).exists()
