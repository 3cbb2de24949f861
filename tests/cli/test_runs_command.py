from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_dsl.cli.runs import list_lines
from pipeline_dsl.cli.terminal import Paint, cells
from pipeline_dsl.run.history import list_runs
from pipeline_dsl.syntax.machine import write_record

ID = "20260412-101530-aaaa"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs: one finished with everything, an older one whose record is damaged."""
    folder = tmp_path / "runs" / "한국어" / ID
    folder.mkdir(parents=True)
    record = {
        "id": ID, "project": "한국어", "recipe": "korean", "profile": None, "status": "finished",
        "started": "2026-04-12T10:15:30+00:00", "duration_seconds": 75.0, "summary": {"exam": 0.512345},
    }  # fmt: skip
    tasks = [{"name": "exam", "higher_is_better": True}]
    (folder / "metadata.sdn").write_text(write_record(record), encoding="utf-8")
    (folder / "plan.json").write_text(
        json.dumps({"phases": [{"name": "one", "task": "exam"}, {"name": "two"}], "tasks": tasks})
    )
    (folder / "phases" / "one").mkdir(parents=True)
    phase = {
        "name": "one",
        "status": "finished",
        "fingerprint": "f" * 64,
        "adapter": "phases/one/adapter",
        "own_task": "exam",
        "metrics": {"loss": 1.0},
        "contracts": [
            {"contract": {"task": "exam", "keep": 1.0, "otherwise": "warn"}, "bound": 0.6, "broken": False},
            {"contract": {"task": "exam", "drop": 0.1, "otherwise": "warn"}, "bound": 0.55, "broken": True},
        ],
    }
    (folder / "phases" / "one" / "phase.json").write_text(json.dumps(phase))
    retention = {
        "tasks": ["exam"],
        "rows": ["base", "one"],
        "scores": [[0.2], [0.512345]],
        "intervals": [[[0.1, 0.3]], [None]],
        "acc": 0.5,
        "bwt": None,
        "forgetting": None,
        "fwt": None,
    }
    (folder / "retention.json").write_text(json.dumps(retention))
    broken = tmp_path / "runs" / "한국어" / "20260411-101530-bbbb"
    broken.mkdir()
    (broken / "metadata.sdn").write_text("what")
    return tmp_path / "runs"


def test_runs_are_listed_with_their_newest_scores(medrecipe, runs, in_utc):
    result = medrecipe("runs", "list")
    assert result.code == 0
    assert result.out.splitlines() == [
        "id                    status    started             took  recipe         scores",
        f"{ID}  finished  12 Apr 10:15  1 min 15 s  한국어/korean  exam 0.51",
        "20260411-101530-bbbb  damaged   -                      -  한국어/-",
    ]


@pytest.fixture
def in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_on_a_narrow_terminal_scores_stand_below_their_run(runs, in_utc):
    many = {f"task_{i}": i / 10 for i in range(8)}
    found = [replace(run, summary=many if run.summary else {}) for run in list_runs(runs)]
    lines = list_lines(found, Paint(enabled=False), 80)
    assert max(map(cells, lines)) <= 80
    assert lines[2:4] == [
        "  task_0 0.00, task_1 0.10, task_2 0.20, task_3 0.30, task_4 0.40, task_5 0.50,",
        "  task_6 0.60, task_7 0.70",
    ]
    assert len(list_lines(found, Paint(enabled=False), None)) == 3


def test_case_77_a_damaged_run_is_named_with_its_path(medrecipe, runs):
    err = medrecipe("runs", "list").err
    assert err.startswith("damaged: runs/한국어/20260411-101530-bbbb: metadata.sdn")


def test_the_list_as_json(medrecipe, runs):
    data = json.loads(medrecipe("runs", "list", "--json").out)
    assert data["schema_version"] == 1
    assert data["runs"][0] == {
        "id": ID,
        "project": "한국어",
        "recipe": "korean",
        "profile": None,
        "status": "finished",
        "started": "2026-04-12T10:15:30+00:00",
        "duration_seconds": 75.0,
        "summary": {"exam": 0.512345},
    }
    assert data["runs"][1]["status"] == "damaged"
    assert data["runs"][1]["path"] == "runs/한국어/20260411-101530-bbbb"


def test_the_list_can_be_of_one_project(medrecipe, runs):
    assert json.loads(medrecipe("runs", "list", "--project", "other", "--json").out)["runs"] == []


def test_no_runs_are_said_on_stderr(medrecipe):
    result = medrecipe("runs", "list")
    assert (result.code, result.out) == (0, "")
    assert "no runs in runs yet" in result.err
    assert json.loads(medrecipe("runs", "list", "--json").out) == {"schema_version": 1, "runs": []}


def test_a_run_as_json(medrecipe, runs):
    data = json.loads(medrecipe("runs", "show", "20260412", "--json").out)
    assert data["schema_version"] == 1
    run = data["run"]
    assert run["id"] == ID
    assert run["phases"] == [
        {"name": "one", "status": "finished", "fingerprint": "f" * 64, "adapter": "phases/one/adapter", "own_task": "exam", "metrics": {"loss": 1.0}, "data": None, "stages": []},
        {"name": "two", "status": "pending", "fingerprint": None, "adapter": None, "own_task": None, "metrics": None, "data": None, "stages": []},
    ]  # fmt: skip
    assert run["retention"] == {
        "tasks": ["exam"],
        "rows": ["base", "one"],
        "scores": [[0.2], [0.512345]],
        "intervals": [[[0.1, 0.3]], [None]],
        "perfect": {},
        "acc": 0.5,
        "bwt": None,
        "forgetting": None,
        "fwt": None,
    }


def test_a_run_for_people(medrecipe, runs, in_utc):
    assert medrecipe("runs", "show", ID).out.splitlines() == [
        f"{ID}  finished",
        "recipe   korean, project 한국어",
        "started  12 Apr 10:15, took 1 min 15 s",
        f"folder   runs/한국어/{ID}",
        "adapter  phases/one/adapter (in this folder; of the last finished phase)",
        "",
        "phase  status    own task  steps  loss  took",
        "one    finished  exam          -  1.00     -",
        "two    pending   -             -     -     -",
        "",
        "contract of  task  score  asked for      outcome",
        "one          exam   0.51  at least 0.60  unclear, kept",
        "one          exam   0.51  at least 0.55  broken, warned",
        "",
        "task  base          one",
        "exam  0.20          0.51*",
        "      [0.10, 0.30]",
        "[95 % interval]  * own task",
        "",
        "ACC          0.50  own tasks at the end, on average",
    ]


def test_a_run_says_from_which_run_a_phase_was_taken(medrecipe, runs):
    path = runs / "한국어" / ID / "phases" / "one" / "phase.json"
    path.write_text('{"name": "one", "status": "reused", "reused_from": "20260101-000000-cccc"}')
    out = medrecipe("runs", "show", ID).out
    assert "phase  status   own task  steps  loss  took  reused from" in out
    assert "one    reused   -             -     -     -  20260101-000000-cccc" in out


@pytest.mark.parametrize("contracts", ["7", "[7]", '[{"contract": 7}]', '[{"contract": {}, "bound": "x"}]'])
def test_records_that_make_no_sense_are_shown_as_far_as_they_go(medrecipe, runs, contracts):
    path = runs / "한국어" / ID / "phases" / "one" / "phase.json"
    path.write_text(f'{{"name": "one", "metrics": {{"steps": "x", "loss": []}}, "contracts": {contracts}}}')
    result = medrecipe("runs", "show", ID)
    assert (result.code, result.err) == (0, "")


def test_a_damaged_run_can_be_shown(medrecipe, runs):
    result = medrecipe("runs", "show", "20260411")
    assert result.code == 0
    assert "damaged" in result.err


@pytest.mark.parametrize("id", ["nothing", "2026", "../x", "/etc", "", "한국어"])
def test_what_is_no_single_run_is_2(medrecipe, runs, id):
    result = medrecipe("runs", "show", id)
    assert result.code == 2
    assert result.err.startswith("error[MR260]")
    assert result.out == ""


def test_the_variable_names_the_folder(medrecipe, runs, monkeypatch, tmp_path):
    monkeypatch.setenv("MEDRECIPE_RUNS", "elsewhere")
    assert medrecipe("runs", "list").out == ""
    assert medrecipe("runs", "list", "--runs", str(runs)).out


def test_json_holds_no_nan(medrecipe, runs):
    path = runs / "한국어" / ID / "phases" / "one" / "phase.json"
    path.write_text('{"name": "one", "status": "finished", "metrics": {"loss": NaN, "best": Infinity}}')
    out = medrecipe("runs", "show", ID, "--json").out
    assert json.loads(out)["run"]["phases"][0]["metrics"] == {"loss": None, "best": None}
    assert "NaN" not in out


def test_a_run_says_what_its_data_came_to_and_which_weights_it_ended_with(medrecipe, runs):
    path = next(runs.rglob("phase.json"))
    record = json.loads(path.read_text())
    record["metrics"] |= {"stopped": "exam did not get better than 0.5 in 3 looks", "kept_step": 1040}
    record["data"] = {"samples": 1200, "tokens": 34000, "longest": 700, "dropped": 1, "shortened": 20}
    path.write_text(json.dumps(record))
    lines = medrecipe("runs", "show", ID).out.splitlines()
    at = lines.index(
        "data of one: 1,200 samples of 34,000 tokens, the longest of 700; 1 was dropped; "
        "20 were given shorter prompts"
    )
    assert lines[at + 1 : at + 3] == [
        "training of one ended early: exam did not get better than 0.5 in 3 looks",
        "weights of one: those of step 1,040",
    ]


def test_a_run_says_where_memory_did_not_suffice(medrecipe, runs):
    path = next(runs.rglob("phase.json"))
    record = json.loads(path.read_text())
    record["metrics"] |= {"micro_batch": 1, "micro_batch_step": 17}
    path.write_text(json.dumps(record))
    line = "memory of one did not suffice: 1 sample at once from step 17 on, as many in an optimizer step"
    assert line in medrecipe("runs", "show", ID).out.splitlines()


def test_a_run_says_what_the_data_of_each_stage_came_to(medrecipe, runs):
    path = next(runs.rglob("phase.json"))
    record = json.loads(path.read_text())
    record["stages"] = [
        {"name": "short", "data": {"samples": 1, "tokens": 9, "longest": 9}},
        {"name": "stream", "data": None},
        {"name": "odd", "data": {"samples": "many"}},
        "damaged",
    ]
    path.write_text(json.dumps(record))
    lines = medrecipe("runs", "show", ID).out.splitlines()
    assert [line for line in lines if line.startswith("data of")] == [
        "data of one/short: 1 sample of 9 tokens, the longest of 9"
    ]
