"""The recipes of the tour: every profile is sound, every tiny one runs, and their data is what its card says."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.cli.main import main

RECIPES = Path(__file__).parents[2] / "recipes"
PROFILES = {
    "medgemma_korean": ("tiny", "4b", "27b"),
    "medgemma_korean_mixed": ("tiny", "4b", "27b"),
    "llama_medical": ("tiny", "1b"),
    "phi4_medical": ("tiny", "phi4_mini"),
    "medimind_phi2": ("tiny", "phi2", "4bit"),
}
SMALL = {
    "model.layers": 1, "model.width": 32, "model.heads": 2, "model.kv_heads": 1, "model.mlp_width": 32,
    "model.pretraining_steps": 0,
}  # fmt: skip
"""What makes a base a matter of a second."""
SHORT: dict[str, dict[str, object]] = {
    "medgemma_korean_mixed": {
        "phases.plain_text.train.max_steps": 2,
        "phases.translation_exam.train.max_steps": 2,
        "phases.reasoning.train.max_steps": 4,
        "phases.reasoning.stages.full.until": '"reasoning >= 0"',
        "tasks.reasoning.metric.max_new_tokens": 8,
    },
    "llama_medical": {"train.max_steps": 2, "train.warmup_steps": 0},
    "phi4_medical": {"train.max_steps": 10},
    "medimind_phi2": {"train.max_steps": 2},
}
"""What makes a tiny run a matter of seconds; the first recipe has tests of its own."""
SETS = {
    "plain_text": ("text",),
    "medical_dict": ("english", "korean", "definition"),
    "mcq": ("question",),
    "translation": ("english", "korean"),
    "instructions": ("instruction",),
    "specialties": ("question",),
    "general": (),
}
"""Folders of the sample data, and the fields of which no text may occur twice."""


def test_these_are_all_recipes_of_the_tour():
    assert {path.stem for path in RECIPES.glob("*.sdn")} == {*PROFILES, "base"}


@pytest.mark.parametrize(("name", "profile"), [(n, p) for n, ps in PROFILES.items() for p in ps])
def test_every_profile_is_sound(name: str, profile: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", str(RECIPES / f"{name}.sdn"), "--profile", profile]) == 0
    assert "fine" in capsys.readouterr().out


@pytest.mark.parametrize("name", SHORT)
def test_every_tiny_profile_runs_and_scores_all_of_its_tasks(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given = {**SMALL, **SHORT[name]}
    sets = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    only = ["--phase", "cardiology", "--phase", "oncology"] if name == "llama_medical" else []
    runs = ["--runs", str(tmp_path)]
    assert main(["run", str(RECIPES / f"{name}.sdn"), "--max-samples", "8", *only, *sets, *runs]) == 0
    capsys.readouterr()
    (run,) = (tmp_path / name).iterdir()
    assert main(["runs", "show", run.name, "--json", *runs]) == 0
    shown = json.loads(capsys.readouterr().out)["run"]
    assert (shown["profile"], shown["status"]) == ("tiny", "finished")
    scores = shown["retention"]["scores"]
    assert len(scores) == 1 + sum(phase["status"] == "finished" for phase in shown["phases"])
    assert all(score is not None for row in scores for score in row)


def _rows(folder: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each file of a set."""
    files = sorted((RECIPES / "data" / folder).glob("*.jsonl"))
    return {f.stem: [json.loads(line) for line in f.read_text("utf-8").splitlines()] for f in files}


@pytest.mark.parametrize("folder", SETS)
def test_sample_rows_have_one_form_and_names_of_their_own(folder: str):
    files = _rows(folder)
    assert files
    ids = [row["id"] for rows in files.values() for row in rows]
    assert len(ids) == len(set(ids))
    for rows in files.values():
        assert {frozenset(row) for row in rows} == {frozenset(rows[0])}
        texts = [text for row in rows for text in row.values()]
        assert all(isinstance(text, str) and text and text == text.strip() for text in texts)
        assert all(unicodedata.is_normalized("NFC", text) for text in texts)


@pytest.mark.parametrize(
    ("folder", "field"), [(name, field) for name, fields in SETS.items() for field in fields]
)
def test_no_text_stands_twice_so_that_nothing_held_out_is_taught(folder: str, field: str):
    texts = [" ".join(row[field].casefold().split()) for rows in _rows(folder).values() for row in rows]
    assert len(texts) == len(set(texts))


def test_added_tokens_occur_in_the_text_that_teaches_them():
    tokens = (RECIPES / "data/tokens/korean_medical.txt").read_text("utf-8").split()
    taught = " ".join(row["text"] for row in _rows("plain_text")["train"])
    assert len(tokens) == len(set(tokens))
    assert [token for token in tokens if token not in taught] == []
