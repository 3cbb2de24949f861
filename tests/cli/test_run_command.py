from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def run_id(text: str) -> str:
    return re.search(r"run (\S+) of", text)[1]


def extend(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_run_tells_its_phases_steps_scores_and_where_it_is(medrecipe, recipe):
    result = medrecipe("run", "r.sdn")
    lines = result.out.splitlines()
    assert result.code == 0
    assert result.err == ""
    assert re.fullmatch(r"run \S+ of 연습 begins: 2 phases, 1 task", lines[0])
    assert lines[1:3] == ["base (before any training)", "  fluency  7.46 [7.39, 7.54]  n 3"]
    assert lines[3] == "phase 1/2 하나"
    assert lines[4] == "  trains 50 of 1,050 parameters (4.8 %) on cpu in float32"
    steps = [line for line in lines[5:] if line.startswith("  step")]
    assert len(steps) == 20, "a line every tenth of the steps, for two phases"
    assert re.fullmatch(r"  step  2/20  loss 0\.5000  lr 1\.0e-03( .*left)?", steps[0])
    assert "  fluency  2.75 [2.72, 2.77]  better (base 7.46)" in lines
    assert "fluency           7.46          2.75*         1.97" in lines
    assert lines[-2].startswith("everything is in runs/연습/")
    assert lines[-1] == f"next: medrecipe runs show {run_id(result.out)}"


def test_no_line_is_coloured_or_redrawn_in_a_pipe(medrecipe, recipe):
    out = medrecipe("run", "r.sdn").out
    assert "\x1b" not in out
    assert "\r" not in out


def test_the_first_line_names_the_default_profile_and_the_others(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "default_profile: tiny\n")
    lines = medrecipe("run", "r.sdn").out.splitlines()
    assert lines[:2] == ["profile tiny (the default): fake", "others: --profile full"]
    assert medrecipe("run", "r.sdn", "--profile", "tiny").out.startswith("run ")


def test_what_a_finished_run_trained_is_reused_and_fresh_trains_it_again(medrecipe, recipe):
    medrecipe("run", "r.sdn")
    assert "phase 1/2 하나 (reused)" in medrecipe("run", "r.sdn").out
    assert "(reused)" not in medrecipe("run", "r.sdn", "--fresh").out


def test_a_dry_run_plans_and_writes_nothing(medrecipe, recipe, tmp_path):
    result = medrecipe("run", "r.sdn", "--dry-run")
    assert result.code == 0
    assert "하나: will run: no finished run of it" in result.out
    assert not (tmp_path / "runs").exists()


def test_the_runs_folder_is_chosen_by_option_or_variable(medrecipe, recipe, tmp_path, monkeypatch):
    result = medrecipe("run", "r.sdn", "--runs", "elsewhere")
    assert (tmp_path / "elsewhere" / "연습").is_dir()
    assert result.out.splitlines()[-1].endswith("--runs elsewhere")
    monkeypatch.setenv("MEDRECIPE_RUNS", str(tmp_path / "third"))
    medrecipe("run", "r.sdn")
    assert (tmp_path / "third" / "연습").is_dir()


def test_max_samples_and_device_reach_the_plan(medrecipe, recipe, tmp_path):
    medrecipe("run", "r.sdn", "--max-samples", "2", "--device", "cpu")
    (path,) = (tmp_path / "runs").glob("*/*/plan.json")
    plan = json.loads(path.read_text())
    assert (plan["max_samples"], plan["device"]) == (2, "cpu")


def test_case_19_the_run_keeps_the_recipe_as_it_was(medrecipe, recipe, tmp_path):
    medrecipe("run", "r.sdn")
    (snapshot,) = (tmp_path / "runs").glob("*/*/recipe.sdn")
    assert snapshot.read_text() == recipe.read_text()


def test_a_mistake_in_the_recipe_ends_before_anything_is_written(medrecipe, recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("second, train", "second, trane"))
    result = medrecipe("run", "r.sdn")
    assert result.code == 2
    assert "error[MR332]" in result.err
    assert not (tmp_path / "runs").exists()


def test_missing_data_is_3(medrecipe, recipe, tmp_path):
    (tmp_path / "texts.jsonl").unlink()
    assert medrecipe("run", "r.sdn").code == 3


@pytest.mark.parametrize("option", ["--phase", "--from"])
def test_an_unknown_phase_is_a_usage_error(medrecipe, recipe, option, tmp_path):
    result = medrecipe("run", "r.sdn", option, "three")
    assert result.code == 2
    assert "the phases are 하나, two" in result.err
    assert not (tmp_path / "runs").exists()


def test_one_phase_alone_needs_what_it_stands_on(medrecipe, recipe):
    assert medrecipe("run", "r.sdn", "--phase", "two").code == 2
    assert medrecipe("run", "r.sdn", "--phase", "하나").code == 0
    result = medrecipe("run", "r.sdn", "--from", "two")
    assert result.code == 0
    assert "하나 (reused)" in result.out


def test_a_failed_run_says_how_to_go_on(medrecipe, recipe):
    result = medrecipe("run", "r.sdn", "--set", "train.fail_at=3")
    assert result.code == 6
    assert "error[MR495]: the loss is not finite" in result.err
    assert result.out.splitlines()[-1] == f"to go on: medrecipe run --resume {run_id(result.out)}"


def test_an_interrupted_run_is_130_and_goes_on_without_its_recipe(medrecipe, recipe):
    interrupted = medrecipe("run", "r.sdn", "--set", "phases.two.train.interrupt_at=3")
    assert interrupted.code == 130
    assert "run interrupted" in interrupted.out
    run = run_id(interrupted.out)
    assert interrupted.out.splitlines()[-1] == f"to go on: medrecipe run --resume {run}"
    again = medrecipe("run", "--resume", run)
    assert again.code == 130, again.err
    assert f"run {run} of 연습 goes on" in again.out
    assert "하나 (reused)" in again.out


def test_what_a_run_was_limited_to_is_in_the_command_that_goes_on(medrecipe, recipe):
    out = medrecipe("run", "r.sdn", "--phase", "하나", "--fresh", "--set", "train.interrupt_at=3").out
    assert out.splitlines()[-1] == f"to go on: medrecipe run --resume {run_id(out)} --phase '하나' --fresh"


def test_resuming_an_unknown_run_is_a_usage_error(medrecipe, recipe):
    result = medrecipe("run", "--resume", "nothing")
    assert result.code == 2
    assert "error[MR260]" in result.err


def test_a_run_whose_plan_is_damaged_asks_for_the_recipe(medrecipe, recipe, tmp_path):
    run = run_id(medrecipe("run", "r.sdn").out)
    (tmp_path / "runs" / "연습" / run / "plan.json").write_text("{")
    result = medrecipe("run", "--resume", run)
    assert result.code == 2
    assert "name the RECIPE beside --resume" in result.err


def test_a_rejected_run_is_6_and_says_so(medrecipe, recipe):
    text = recipe.read_text().replace(
        "    two:\n", "    two:\n        retain |task, rise, otherwise|\n            fluency, 1%, reject\n"
    )
    recipe.write_text(
        text.replace("fluency, texts, plain_text, perplexity", "fluency, texts, plain_text, getting_worse")
    )
    extend(recipe.parent / "fake_plugin.py", WORSE)
    result = medrecipe("run", "r.sdn")
    assert result.code == 6, result.err
    assert "worse (base 1.00)" in result.out
    assert "a phase broke its retention contract" in result.out.splitlines()[-1]
    shown = medrecipe("runs", "show", run_id(result.out)).out
    assert "two          fluency   2.33  at most 1.01  broken, rejected" in shown, shown


WORSE = """
from pipeline_dsl.api import Need, Score


class GettingWorse:
    need, higher_is_better, max_new_tokens, details = Need.TOKEN_LOSSES, False, 1, ()

    def __init__(self, options) -> None:
        pass

    def score(self, observations):
        value = 3 - observations[0].nll
        return Score(value=value, low=value, high=value, n=3, protocol="worse", higher_is_better=False)


@hookimpl
def medrecipe_metrics():
    return [Provider(name="getting_worse", summary="rises as the fake learns", factory=GettingWorse)]
"""


def test_case_60_ctrl_c_from_outside_ends_a_run_with_130(recipe, tmp_path):
    extend(tmp_path / "fake_plugin.py", SLOW)
    command = [sys.executable, "-m", "pipeline_dsl.cli.main", "run", "r.sdn"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("  step"):
                break
        child.send_signal(signal.SIGINT)
        rest, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert "to go on: medrecipe run --resume" in rest
    assert "Traceback" not in err


SLOW = """
import time

fire_at_once = Trainer.train


def slowly(self, job):
    from dataclasses import replace

    def fire(event):
        time.sleep(0.2)
        if job.fire(event).stop:
            raise KeyboardInterrupt

    return fire_at_once(self, replace(job, fire=fire))


Trainer.train = slowly
"""


def test_a_reader_that_goes_away_does_not_end_the_training(recipe, tmp_path):
    command = f"{sys.executable} -m pipeline_dsl.cli.main run r.sdn | head -n 1"
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    for _ in range(100):
        records = list((tmp_path / "runs").glob("*/*/metadata.sdn"))
        if records and 'status: "finished"' in records[0].read_text():
            return
        time.sleep(0.1)
    pytest.fail("the run did not finish")


def test_eval_scores_a_finished_run_again(medrecipe, recipe):
    run = run_id(medrecipe("run", "r.sdn").out)
    result = medrecipe("eval", run[:-2], "--json")
    data = json.loads(result.out)
    assert (result.code, data["schema_version"], data["run"], data["phase"]) == (0, 1, run, "two")
    assert data["scores"]["fluency"]["value"] == pytest.approx(1.967, abs=1e-3)
    assert {"low", "high", "n", "protocol", "higher_is_better"} <= set(data["scores"]["fluency"])


def test_eval_shows_a_table_and_takes_a_phase_and_tasks(medrecipe, recipe):
    run = run_id(medrecipe("run", "r.sdn").out)
    result = medrecipe("eval", run, "--phase", "하나", "--task", "fluency")
    assert result.err.splitlines() == ["scoring fluency", "scored fluency"]
    lines = result.out.splitlines()
    assert lines[0] == f"{run} after 하나"
    assert lines[2].startswith("fluency   2.75  [2.72, 2.77]   3")


@pytest.mark.parametrize("words", [["nothing"], ["2", "--task", "nope"]])
def test_eval_of_what_is_not_there_is_2(medrecipe, recipe, words):
    medrecipe("run", "r.sdn")
    assert medrecipe("eval", *words).code == 2


def test_a_value_of_the_environment_is_in_no_file_of_the_run(medrecipe, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "geheim-12345")
    text = recipe.read_text().replace("recipe: 연습\n", "recipe: 연습\nenvironment: [MY_TOKEN]\n")
    recipe.write_text(text.replace("path: texts.jsonl}", 'path: "${env:MY_TOKEN}.jsonl"}'))
    (tmp_path / "texts.jsonl").rename(tmp_path / "geheim-12345.jsonl")
    assert medrecipe("run", "r.sdn").code == 0
    texts = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert [path for path, written in texts.items() if b"geheim" in written] == []


def test_without_evaluation_no_task_is_scored_and_the_run_says_so(medrecipe, recipe):
    result = medrecipe("run", "r.sdn", "--no-evaluate")
    assert (result.code, result.err) == (0, "")
    assert "fluency" not in result.out
    assert "no task was scored" in result.out.splitlines()
    shown = medrecipe("runs", "show", run_id(result.out)).out
    assert f"not scored; to score it: medrecipe run --resume {run_id(result.out)}" in shown.splitlines()
    later = medrecipe("run", "--resume", run_id(result.out))
    assert later.code == 0
    assert "fluency           7.46          2.75*         1.97" in later.out.splitlines()
    assert "not scored" not in medrecipe("runs", "show", run_id(result.out)).out


def test_without_evaluation_a_recipe_that_goes_by_scores_is_refused_before_anything_is_done(
    medrecipe, recipe, tmp_path
):
    text = recipe.read_text() + 'hooks |on, when, do|\n    epoch_completed, "fluency < 2", stop\n'
    recipe.write_text(text)
    result = medrecipe("run", "r.sdn", "--no-evaluate")
    assert result.code == 2
    assert "error[MR311]: without scores there is nothing to go by for the action `stop`" in result.err
    assert not (tmp_path / "runs").exists()


def test_the_command_to_go_on_with_a_run_without_evaluation_says_so_too(medrecipe, recipe):
    result = medrecipe("run", "r.sdn", "--no-evaluate", "--set", "train.interrupt_at=3")
    assert result.code == 130
    assert f"to go on: medrecipe run --resume {run_id(result.out)} --no-evaluate" in result.out


def test_what_was_said_is_in_the_log_of_the_run(medrecipe, recipe, tmp_path):
    result = medrecipe("run", "r.sdn")
    assert result.out.splitlines()[-2].endswith("; what was said, with times, in run.log there")
    (log,) = (tmp_path / "runs").rglob("run.log")
    assert f" run {run_id(result.out)} of 연습 begins: phases " in log.read_text(encoding="utf-8")
    assert (
        "log      run.log (in this folder)" in medrecipe("runs", "show", run_id(result.out)).out.splitlines()
    )
