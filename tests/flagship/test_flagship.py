"""The first recipe of the tour, from the command line: on its own data and, where it is there, on public data."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.cli.main import main

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "medgemma_korean.sdn"
PUBLIC = ROOT.parent / "shared" / "data"
SOURCES = {
    "sentences": PUBLIC / "ud_korean_plain_text" / "sentences.jsonl",
    "dictionary": PUBLIC / "kcd_disease_terms_ko_en" / "kcd3.jsonl",
    "exam": PUBLIC / "kormedmcqa" / "mcq.jsonl",
}
PHASES = ("plain_text", "medical_dict", "mcq")
TASKS = ("fluency", "terms_recall", "terms_held_out", "exam_recall", "exam_held_out")
SHORT = {
    "model.layers": 2, "model.width": 64, "model.heads": 2, "model.kv_heads": 1, "model.mlp_width": 96,
    "model.pretraining_steps": 2, "train.max_length": 1024, "adapters.korean.r": 4,
    "phases.plain_text.train.epochs": 1, "phases.medical_dict.train.epochs": 2, "phases.mcq.train.epochs": 2,
}  # fmt: skip
"""What makes the tiny profile a matter of seconds."""


@dataclass(frozen=True)
class Shell:
    """A folder to work in, and the command line, called in this process."""

    folder: Path

    def __call__(self, *words: str, expect: int = 0) -> str:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("MEDRECIPE_RUNS", str(self.folder / "runs"))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([str(word) for word in words])
        assert code == expect, out.getvalue() + err.getvalue()
        return out.getvalue()

    def run(self, *words: str, **sets: object) -> str:
        given = {**SHORT, "model.cache": self.folder / "cache", **sets}
        options = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
        return self("run", str(RECIPE), "--max-samples", "16", *options, *words)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Shell:
    return Shell(tmp_path_factory.mktemp("flagship"))


@pytest.fixture(scope="module")
def told(shell: Shell) -> str:
    """What a run of the recipe says."""
    return shell.run()


@pytest.fixture(scope="module")
def shown(shell: Shell, told: str) -> dict[str, Any]:
    """``runs show --json`` of that run."""
    (run,) = shell.json("runs", "list")["runs"]
    found: dict[str, Any] = shell.json("runs", "show", run["id"])
    return found


def test_it_runs_with_its_default_profile_and_says_which(told: str):
    opening = "\n".join(told.splitlines()[:4])
    assert "profile tiny" in opening
    assert "default" in opening
    assert "medrecipe runs show" in told


def test_its_history_has_the_documented_shape(shown: dict[str, Any]):
    assert shown.keys() == {"schema_version", "run"}
    run = shown["run"]
    assert run.keys() >= {
        "id", "project", "recipe", "profile", "status", "started", "duration_seconds", "summary", "phases", "retention",
    }  # fmt: skip
    assert (run["project"], run["recipe"], run["profile"], run["status"]) == (
        "medgemma_korean", "medgemma_korean", "tiny", "finished",
    )  # fmt: skip
    assert run["summary"].keys() == set(TASKS)
    assert run["duration_seconds"] > 0


def test_each_phase_trained_a_new_adapter_on_what_went_before(shown: dict[str, Any], shell: Shell):
    phases = shown["run"]["phases"]
    assert [(p["name"], p["status"]) for p in phases] == [(name, "finished") for name in PHASES]
    assert [p["own_task"] for p in phases] == ["fluency", "terms_recall", "exam_recall"]
    folder = shell.folder / "runs" / "medgemma_korean" / shown["run"]["id"]
    stacks = [json.loads((folder / p["adapter"] / "stack.json").read_text("utf-8")) for p in phases]
    assert [s["adapter"] for s in stacks] == ["korean", "terms", "reasoning"]
    assert [[(x["adapter"], x["role"]) for x in s["parents"]] for s in stacks] == [
        [], [("korean", "merge")], [("korean", "merge"), ("terms", "merge")],
    ]  # fmt: skip
    assert all(p["metrics"]["steps"] > 0 for p in phases)


def test_every_task_is_scored_on_the_base_and_after_every_phase(shown: dict[str, Any]):
    retention = shown["run"]["retention"]
    assert tuple(retention["tasks"]) == TASKS
    assert tuple(retention["rows"]) == ("base", *PHASES)
    for matrix in (retention["scores"], retention["intervals"]):
        assert [len(row) for row in matrix] == [len(TASKS)] * 4
    assert all(score is not None for row in retention["scores"] for score in row)
    fluency = [row[0] for row in retention["scores"]]
    assert fluency[1] < fluency[0], "a phase of plain text makes plain text less surprising"
    assert retention.keys() >= {"acc", "bwt", "forgetting", "fwt"}


def test_run_again_it_takes_everything_over(shell: Shell, shown: dict[str, Any]):
    shell.run()
    newest = shell.json("runs", "list")["runs"][0]
    again = shell.json("runs", "show", newest["id"])["run"]
    assert again["id"] != shown["run"]["id"]
    assert [p["status"] for p in again["phases"]] == ["reused"] * 3
    assert again["retention"] == shown["run"]["retention"]


@pytest.mark.skipif(
    not all(path.is_file() for path in SOURCES.values()),
    reason=f"the public data sets are not in {PUBLIC} ({', '.join(p.parent.name for p in SOURCES.values())})",
)
def test_it_runs_on_public_data(shell: Shell, told: str):
    sets = {f"data.{name}.path": path for name, path in SOURCES.items()}
    shell.run("--fresh", project="public", **sets)
    (run,) = (r for r in shell.json("runs", "list")["runs"] if r["project"] == "public")
    assert run["status"] == "finished"
    plan = json.loads((shell.folder / "runs" / "public" / run["id"] / "plan.json").read_text("utf-8"))
    for name, path in SOURCES.items():
        assert [file["path"] for file in plan["data"][name]["files"]] == [str(path)]
    phases = shell.json("runs", "show", run["id"])["run"]["phases"]
    assert [p["status"] for p in phases] == ["finished"] * 3
