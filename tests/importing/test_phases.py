"""Phase files of the MedGemma Korean example become one recipe, tied by the adapters that they make."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

CORPUS = Path(__file__).parents[3] / "shared" / "sdn" / "corpus"
BASE = """\
project: "medgemma-korean"
seed: 42
model:
  name: "google/medgemma-4b-it"
  lora_r: 64
  lora_alpha: 128
  lora_dropout: 0.05
  use_rslora: true
training:
  epochs: 3
  batch_size: 4
  grad_accum: 4
  learning_rate: 0.0002
  max_length: 512
  device: "cuda:0"
  gradient_checkpointing: true
tracking:
  mode: "offline"
"""
PLAIN = """\
extends: "base.sdn"
training:
  max_samples: 1000
data:
  type: "plain_text"
  path: "data/plain_text"
  format: "jsonl"
output:
  lora_path: "models/phase0/lora_0"
validation:
  test_plain_text: true
"""
TERMS = """\
extends: "base.sdn"
training:
  epochs: 5
data:
  type: "medical_dict"
  path: "data/medical_dict"
previous_loras:
  - "models/phase0/lora_0"
output:
  lora_path: "models/phase1/lora_1"
validation:
  test_plain_text: true
  retention_threshold: 0.97
"""
EXAM = """\
extends: "base.sdn"
data:
  type: "mcq"
  path: "data/mcq"
previous_loras:
  - "models/phase0/lora_0"
  - "models/phase1/lora_1"
output:
  lora_path: "models/phase2/lora_2"
  final_path: "models/final"
validation:
  test_plain_text: true
  test_medical_dict: true
  test_mcq: true
  target_accuracy: 0.90
reasoning_loss:
  ce_weight: 0.6
"""
QUESTION = {
    "question": "심장은?",
    "A": "순환",
    "B": "호흡",
    "C": "소화",
    "D": "배설",
    "E": "감각",
    "answer": "A",
}
ROWS = {
    "plain_text": {"text": "심장은 피를 내보낸다."},
    "medical_dict": {"english": "heart", "korean": "심장"},
    "mcq": QUESTION,
}


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def example(tmp_path, monkeypatch) -> Path:
    for kind, row in ROWS.items():
        folder = tmp_path / "data" / kind
        folder.mkdir(parents=True)
        (folder / "train.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, text in (("base", BASE), ("phase0", PLAIN), ("phase1", TERMS), ("phase2", EXAM)):
        (tmp_path / f"{name}.sdn").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(*files: str) -> dict:
    code, _, err = run("import", *files, "--out", "korean_recipe.txt", "--force")
    assert code == 0, err
    return json.loads(run("resolve", "korean_recipe.txt", "--json")[1])["recipe"]


def test_three_files_become_three_phases_in_the_order_of_their_adapters(example):
    phases = recipe("phase2.sdn", "phase0.sdn", "phase1.sdn")["phases"]
    assert list(phases) == ["plain_text", "medical_dict", "mcq"]
    assert phases["mcq"]["stack"] == [
        {"adapter": "lora_0", "role": "merge"},
        {"adapter": "lora_1", "role": "merge"},
        {"adapter": "lora_2", "role": "train"},
    ]


def test_what_a_phase_extends_is_laid_under_it(example):
    found = recipe("phase0.sdn", "phase1.sdn", "phase2.sdn")
    assert found["adapters"]["lora_1"]["r"] == 64
    assert (found["seed"], found["device"], found["project"]) == (42, "cuda:0", "medgemma-korean")
    assert found["train"]["batch_size"] == 4
    assert [phase["train"]["epochs"] for phase in found["phases"].values()] == [3, 5, 3]
    assert found["phases"]["plain_text"]["mix"][0]["limit"] == 1000


def test_validation_becomes_tasks_and_contracts(example):
    found = recipe("phase0.sdn", "phase1.sdn", "phase2.sdn")
    assert [(t["task"], t["metric"]) for t in found["tasks"]] == [
        ("plain_text", "perplexity"), ("medical_dict", "exact_match"), ("mcq", "mcq_accuracy"),
    ]  # fmt: skip
    assert found["phases"]["medical_dict"]["retain"] == [
        {"task": "plain_text", "keep": 0.97, "otherwise": "warn"}
    ]
    assert [row["keep"] for row in found["phases"]["mcq"]["retain"]] == [1, 1]
    assert found["phases"]["mcq"]["task"] == "mcq"


def test_held_out_rows_beside_the_taught_ones_are_what_is_asked(example):
    (example / "data" / "plain_text" / "held_out.jsonl").write_text(
        '{"text": "폐는 숨을 쉰다."}\n', encoding="utf-8"
    )
    assert recipe("phase0.sdn")["tasks"][0]["data"] == "plain_text_held_out"


def test_what_cannot_be_said_is_a_comment(example):
    _, out, err = run("import", "phase2.sdn")
    assert "#   validation.target_accuracy: 0.9\n" in out
    assert "#   reasoning_loss.ce_weight: 0.6\n" in out
    assert "not carried: output.final_path" in err


def test_parents_beside_a_file_are_taken_in_and_said(example):
    code, out, err = run("import", "phase2.sdn")
    assert code == 0
    assert "phase0.sdn is taken in as well: it makes models/phase0/lora_0" in err
    assert out.count("merge\n") == 3


def test_a_parent_that_nothing_makes_is_an_error_that_names_it(example):
    (example / "phase0.sdn").unlink()
    code, out, err = run("import", "phase1.sdn")
    assert (code, out) == (2, "")
    assert "error[MR279]: no given file makes `models/phase0/lora_0`" in err
    assert "phase1.sdn:7:1" in err


def test_two_files_that_make_one_adapter_are_refused(example):
    (example / "again.sdn").write_text(PLAIN, encoding="utf-8")
    assert "MR279" in run("import", "phase0.sdn", "again.sdn")[2]


def test_a_circle_is_refused(example):
    (example / "phase0.sdn").write_text(
        PLAIN + 'previous_loras:\n  - "models/phase1/lora_1"\n', encoding="utf-8"
    )
    code, _, err = run("import", "phase0.sdn", "phase1.sdn")
    assert (code, "in a circle" in err) == (2, True)


def test_another_base_in_one_phase_is_refused(example):
    (example / "phase1.sdn").write_text(
        TERMS + 'model:\n  name: "google/medgemma-27b-text-it"\n', encoding="utf-8"
    )
    code, _, err = run("import", "phase0.sdn", "phase1.sdn")
    assert (code, "MR277" in err) == (2, True)


@pytest.mark.parametrize(("text", "code"), [(BASE, "MR271"), ("recipe: a\n", "MR271"), ("a: b: c\n", "MR")])
def test_what_is_no_phase_is_refused(text, code, example):
    (example / "other.sdn").write_text(text, encoding="utf-8")
    done = run("import", "other.sdn")
    assert (done[0], f"error[{code}" in done[2]) == (2, True)


def test_yaml_files_are_imported_one_at_a_time(example):
    (example / "a.yaml").write_text("a: 1\n", encoding="utf-8")
    assert "MR271" in run("import", "a.yaml", "a.yaml")[2]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of SDN files is not here")
def test_the_files_of_the_example_itself_import(example):
    for number, name in ((22, "base"), (23, "phase1"), (21, "phase2"), (24, "phase6")):
        shutil.copy(CORPUS / f"{number:03}.sdn", example / f"{name}.sdn")
    text = PLAIN.replace("models/phase0", "example/medgemma_korean/models/phase0")
    (example / "phase0.sdn").write_text(text, encoding="utf-8")
    code, out, _ = run("import", "phase0.sdn", "phase1.sdn", "phase2.sdn")
    assert code == 3  # their data is not here
    assert "lora_1, merge\n            lora_2, train" in out
    assert "MR279" in run("import", "phase6.sdn")[2]
    before = PLAIN.replace("models/phase0/lora_0", "example/medgemma_korean/models/phase5/lora_4")
    (example / "phase5.sdn").write_text(before, encoding="utf-8")
    _, out, _ = run("import", "phase5.sdn", "phase6.sdn")
    assert "#   subphases.a_epochs: 2\n" in out
    assert "korean_text, plain_text, 1" in out
