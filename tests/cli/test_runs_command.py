from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    (folder / "metadata.sdn").write_text(write_record(record), encoding="utf-8")
    (folder / "plan.json").write_text(json.dumps({"phases": [{"name": "one"}, {"name": "two"}]}))
    (folder / "phases" / "one").mkdir(parents=True)
    phase = {
        "name": "one",
        "status": "finished",
        "fingerprint": "f" * 64,
        "adapter": "phases/one/adapter",
        "own_task": "exam",
        "metrics": {"loss": 1.0},
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


def test_runs_are_listed_with_their_newest_scores(medrecipe, runs):
    result = medrecipe("runs", "list")
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split() == ["id", "project", "recipe", "profile", "status", "started", "took", "scores"]
    assert lines[1].split() == [
        ID,
        "한국어",
        "korean",
        "-",
        "finished",
        "2026-04-12",
        "10:15:30",
        "1",
        "min",
        "15",
        "s",
        "exam",
        "0.5123",
    ]
    assert "damaged" in lines[2]


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
        {"name": "one", "status": "finished", "fingerprint": "f" * 64, "adapter": "phases/one/adapter", "own_task": "exam", "metrics": {"loss": 1.0}},
        {"name": "two", "status": "pending", "fingerprint": None, "adapter": None, "own_task": None, "metrics": None},
    ]  # fmt: skip
    assert run["retention"] == {
        "tasks": ["exam"],
        "rows": ["base", "one"],
        "scores": [[0.2], [0.512345]],
        "intervals": [[[0.1, 0.3]], [None]],
        "acc": 0.5,
        "bwt": None,
        "forgetting": None,
        "fwt": None,
    }


def test_a_run_for_people(medrecipe, runs):
    lines = medrecipe("runs", "show", ID).out.splitlines()
    assert lines[0] == f"{ID}  finished  project 한국어, recipe korean"
    assert "one    finished  exam      phases/one/adapter  ffffffffffff" in lines
    assert "base   0.2 [0.1, 0.3]" in lines
    assert "one            0.5123" in lines


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
