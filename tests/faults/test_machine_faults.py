"""Faults of the base and the machine that are found before anything is fetched or built, by their numbers."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

QUANTISED = "model: {use: embedded, cache: built, quantization: nf4}"


@pytest.fixture
def placed(recipe):
    """The recipe with a base that is built beside it."""
    return recipe.replace("{use: embedded}", "{use: embedded, cache: built}")


def begin(bench, text: str, *arguments: str):
    bench.write("texts.jsonl", '{"text": "The heart pumps blood."}\n')
    bench.write("r.sdn", text)
    return bench.run("run", "r.sdn", *arguments)


@pytest.mark.parametrize("device", ["cuda:7", "cuda", "cuda:0"])
def test_65_a_gpu_that_is_not_there_ends_a_run_at_once(bench, placed, device):
    import torch

    if torch.cuda.device_count() > int(device.partition(":")[2] or 0):
        pytest.skip("this machine has that GPU")
    for text, arguments in ((placed, ("--device", device)), (f"device: {device}\n{placed}", ())):
        outcome = begin(bench, text, *arguments)
        assert outcome.code == 5
        assert "error[MR601]" in outcome.err
        assert f"{device} is asked for, but this machine has" in outcome.err
        assert "device: cpu or auto" in outcome.err
        assert not (bench.folder / "built").exists()
        assert not (bench.folder / "runs").exists()


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "gpu:0"])
def test_65_a_device_that_has_no_such_name_ends_a_run_at_once(bench, placed, device):
    outcome = begin(bench, placed, "--device", device)
    assert (outcome.code, "error[MR601]" in outcome.err) == (5, True)
    assert not (bench.folder / "built").exists()


def test_65_a_plan_for_a_machine_with_a_gpu_is_shown_without_one(bench, placed):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    bench.write("texts.jsonl", '{"text": "The heart pumps blood."}\n')
    bench.write("r.sdn", placed)
    assert bench.run("check", "r.sdn", "--device", "cuda:0").code == 0
    outcome = bench.run("plan", "r.sdn", "--device", "cuda:0")
    assert outcome.code == 0
    assert "device cuda:0" in outcome.out
    assert "but this machine has no GPU" in outcome.both


def test_53_merging_into_a_quantised_base_is_found_at_its_row(bench, recipe):
    text = recipe.replace("model: {use: embedded}", QUANTISED)
    row = text.splitlines().index("            first, merge") + 1
    finding = bench.refuses(text, code="MR445", says="quantised (nf4)", at=f"r.sdn:{row}:13")
    assert "first, freeze" in finding["help"]
    bench.accepts(text.replace("first, merge", "first, freeze"))


def test_55_float16_with_gemma_3_is_refused_however_it_is_asked_for(bench, placed):
    folder = "model: {use: causal_lm, folder: model, MORE}"
    bench.write("model/config.json", json.dumps({"model_type": "gemma3_text"}))
    for more in ("dtype: float16", "quantization: nf4, compute_dtype: float16"):
        text = placed.replace("model: {use: embedded, cache: built}", folder.replace("MORE", more))
        outcome = begin(bench, text.replace("first, merge", "first, freeze"))
        assert (outcome.code, "error[MR455]" in outcome.err) == (4, True), outcome.both


def test_without_bitsandbytes_a_quantised_base_ends_a_run_at_once(bench, recipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    text = recipe.replace("model: {use: embedded}", QUANTISED).replace("first, merge", "first, freeze")
    outcome = begin(bench, text)
    assert (outcome.code, "error[MR603]" in outcome.err) == (5, True)
    assert "pip install 'bitsandbytes" in outcome.err
    assert not (bench.folder / "built").exists()


def test_65_a_run_of_a_machine_with_a_gpu_is_scored_without_one_where_its_user_says_so(bench, recipe):
    import torch

    if torch.cuda.device_count() > 7:
        pytest.skip("this machine has that GPU")
    small = "use: embedded, layers: 1, width: 32, mlp_width: 32, vocabulary: 400, pretraining_steps: 0"
    assert begin(bench, recipe.replace("use: embedded", small)).code == 0
    (folder,) = (bench.folder / "runs").glob("*/*")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    (folder / "plan.json").write_text(json.dumps({**plan, "device": "cuda:7"}), encoding="utf-8")
    refused = bench.run("eval", folder.name)
    assert (refused.code, "error[MR601]" in refused.err) == (5, True)
    scored = bench.run("eval", folder.name, "--device", "cpu")
    assert scored.code == 0, scored.both
    assert "fluency" in scored.out


def test_57_a_disk_that_is_too_full_ends_a_run_before_any_work(bench, recipe, monkeypatch):
    free = 10**7

    def usage(path):
        return shutil._ntuple_diskusage(10**9, 10**9 - free, free)

    shape = "use: embedded, cache: built, layers: 1, width: 32, mlp_width: 32, vocabulary: 400, pretraining_steps: 0"
    text = recipe.replace("use: embedded", shape)
    monkeypatch.setattr(shutil, "disk_usage", usage)
    outcome = begin(bench, text.replace("r: 8", "r: 4000"))
    assert (outcome.code, "error[MR605]" in outcome.err) == (5, True), outcome.both
    assert "10 MB are free" in outcome.err
    assert "save_total_limit" in outcome.err
    assert not (bench.folder / "runs").exists()
    assert begin(bench, text).code == 0


@pytest.mark.parametrize("place", ["below a file", "read-only"])
def test_58_output_that_cannot_be_written_ends_a_run_at_once(bench, placed, monkeypatch, place):
    bench.write("file", "")
    if place == "read-only":
        monkeypatch.setattr("os.access", lambda path, mode: False)
    outcome = begin(bench, placed, "--runs", "locked/runs" if place == "read-only" else "file/runs")
    assert (outcome.code, "error[MR600]" in outcome.err) == (5, True), outcome.both
    assert "runs cannot be written to" in outcome.err
    assert "--runs" in outcome.err
    assert not (bench.folder / "built").exists(), "the base was built for nothing"
    assert not (bench.folder / "locked").exists()
