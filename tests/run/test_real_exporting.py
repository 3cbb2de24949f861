"""Exports of real small runs on bases that are not plain 32-bit ones: 4 bits, 16 bits, added tokens."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from medrecipe_plugins.models._quantisation import hold_layout
from pipeline_dsl.cli.main import main
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.finished import open_run
from pipeline_dsl.run.stack import attach, load_base

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]
TOKEN = "고혈압증"
RECIPE = f"""\
recipe: other_bases
seed: 5
device: cpu
model:
    use: embedded
    architecture: llama
    layers: 1
    width: 64
    heads: 2
    kv_heads: 1
    mlp_width: 128
    vocabulary: 400
    max_positions: 128
    pretraining_steps: 2
    cache: cache
adapters:
    korean: {{use: lora, r: 4, alpha: 16, dropout: 0.0, target_modules: all-linear}}
    terms: {{like: korean, r: 2}}
data:
    texts: {{use: jsonl, path: texts.jsonl}}
train: {{max_steps: 6, batch_size: 2, learning_rate: 2e-2, max_length: 96}}
phases:
    plain:
        stack |adapter, role|
            korean, train
        mix |data, template|
            texts, plain_text
    terms:
        stack |adapter, role|
            korean, freeze
            terms, train
        mix |data, template|
            texts, plain_text
profiles:
    nf4: {{model: {{quantization: nf4}}}}
    bf16: {{model: {{dtype: bfloat16}}}}
    tokens: {{model: {{add_tokens: [{TOKEN}]}}, adapters: {{korean: {{train_new_tokens: true}}, terms: {{train_new_tokens: false}}}}}}
"""


def call(*words: object) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main([str(word) for word in words])
    return code, out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    rows = [{"text": f"{TOKEN}은 혈압이 높은 병이다. {n} mmHg."} for n in range(120, 180, 10)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (folder / "r.sdn").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run_of(folder: Path):
    """Return a function from a profile to the folder of its run, trained at most once."""
    made: dict[str, Path] = {}

    def run(profile: str) -> Path:
        if profile not in made:
            code, said = call("run", folder / "r.sdn", "--profile", profile, "--runs", folder / profile)
            assert code == 0, said
            (made[profile],) = (folder / profile / "other_bases").iterdir()
        return made[profile]

    return run


def logits_of(module: Any, tokenizer: Any) -> torch.Tensor:
    module.eval()
    with torch.no_grad():
        ids = tokenizer(f"{TOKEN}은 혈압이 높은 병이다.", return_tensors="pt").input_ids
        return module(input_ids=ids).logits.float()


def run_logits(run: Path) -> torch.Tensor:
    opened = open_run(Path(), str(run), build_catalog(), say=lambda _: None)
    model = load_base(opened.plan, opened.catalog, opened.plan.seed)
    attach(opened.plan, model, list(opened.last.layers))
    return logits_of(model.module, model.tokenizer)


def exported(run: Path, form: str, out: Path) -> dict[str, Any]:
    code, said = call("export", str(run), "--to", form, "--out", out)
    assert code == 0, said
    return json.loads((out / "export.json").read_text("utf-8"))


def test_a_stack_on_4_bits_is_merged_into_what_these_stand_for(run_of, tmp_path):
    run = run_of("nf4")
    exported(run, "merged", tmp_path / "out")
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    found = logits_of(
        AutoModelForCausalLM.from_pretrained(tmp_path / "out"),
        AutoTokenizer.from_pretrained(tmp_path / "out"),
    )
    assert (found - run_logits(run)).abs().max() <= 1e-4


def test_one_adapter_of_a_stack_on_4_bits_belongs_to_the_base_in_4_bits(run_of, folder, tmp_path):
    run = run_of("nf4")
    manifest = exported(run, "adapter", tmp_path / "out")
    base = folder / "cache" / manifest["base"]["name"]
    bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype="float32",
    )
    packed = AutoModelForCausalLM.from_pretrained(base, dtype="float32", quantization_config=bits)
    hold_layout(packed)  # some CPUs would round its scales, for speed
    model = PeftModel.from_pretrained(packed, tmp_path / "out")
    found = logits_of(model, AutoTokenizer.from_pretrained(base))
    assert (found - run_logits(run)).abs().max() <= 1e-5
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert 'load_in_4bit=True, bnb_4bit_quant_type="nf4"' in card
    assert "belongs to the weights that these bits stand for" in card


def test_a_stack_on_16_bits_is_within_its_proof(run_of, tmp_path):
    run = run_of("bf16")
    manifest = exported(run, "merged", tmp_path / "out")
    assert manifest["dtype"] == "bfloat16"
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert model.dtype == torch.bfloat16
    found = logits_of(model, AutoTokenizer.from_pretrained(tmp_path / "out"))
    assert (found - run_logits(run)).abs().max() <= manifest["proof"]["tolerance"]


def test_merged_weights_bring_the_added_tokens_along(run_of, tmp_path):
    run = run_of("tokens")
    exported(run, "merged", tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert len(tokenizer(TOKEN, add_special_tokens=False).input_ids) == 1
    found = logits_of(AutoModelForCausalLM.from_pretrained(tmp_path / "out"), tokenizer)
    assert (found - run_logits(run)).abs().max() <= 1e-5


def test_one_adapter_cannot_bring_tokens_along(run_of, tmp_path):
    code, said = call("export", run_of("tokens"), "--to", "adapter", "--out", tmp_path / "out")
    assert code == 4
    assert "MR473" in said
    assert "--to merged" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("profile", ["nf4", "bf16", "tokens"])
def test_the_whole_stack_gives_the_runs_logits_in_medrecipe(run_of, tmp_path, profile):
    run = run_of(profile)
    exported(run, "stack", tmp_path / "out")
    assert (run_logits(tmp_path / "out") - run_logits(run)).abs().max() == 0
