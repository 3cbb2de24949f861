"""A finished stack as one thing: merged weights, or one adapter, that anybody's tools open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import LoadRequest, ModelError

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "phi3", "phi"]
STRONG = {"r": 8, "alpha": 64}
IDS = torch.tensor([[2, 40, 41, 300, 7, 8, 90, 91]])


def load(folder, **options):
    base = CausalLM(options=Options(folder=str(folder), **({"dtype": "float32"} | options)))
    return base.load(LoadRequest(device="cpu", seed=1))


def stock(folder, **options):
    config = json.loads((Path(folder) / "config.json").read_text("utf-8"))
    auto = AutoModelForImageTextToText if config["model_type"] == "gemma3" else AutoModelForCausalLM
    return auto.from_pretrained(folder, local_files_only=True, **({"dtype": torch.float32} | options))


def logits(module) -> torch.Tensor:
    module.eval()
    with torch.no_grad():
        return module(input_ids=IDS).logits.float()


@pytest.fixture
def stack(trained, stacks):
    """Return a function that makes a stack of a merged, a frozen and a trained layer of different shapes."""

    def make(folder, **top):
        one = trained(folder, "one", **STRONG)
        merged = stacks.layer("one", "merge", one)
        two = trained(folder, "two", (merged,), seed=4, **(STRONG | {"target_modules": "all-linear", "r": 2}))
        frozen = stacks.layer("two", "freeze", two)
        three = trained(folder, "three", (merged, frozen), seed=5, **(STRONG | {"use_rslora": True} | top))
        return [merged, frozen, stacks.layer("three", "freeze", three)]

    return make


def run_logits(folder, stacks, layers, **options) -> torch.Tensor:
    """Those of the run's own stack."""
    model = load(folder, **options)
    stacks.lora().attach(model, layers)
    return logits(model.module)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_folded_stack_gives_the_runs_logits_in_stock_transformers(
    tiny_folder_of, stacks, stack, tmp_path, architecture
) -> None:
    folder = tiny_folder_of(architecture)
    layers = stack(folder)
    model = load(folder)
    proof = stacks.lora().fold(model, layers)
    assert proof.adapters == ("one", "two", "three")
    assert proof.max_abs_logit_difference <= proof.tolerance
    out = tmp_path / "merged"
    out.mkdir()
    model.save(out)
    expected = run_logits(folder, stacks, layers)
    assert (logits(stock(out)) - expected).abs().max() <= 1e-5
    assert (logits(stock(folder)) - expected).abs().max() > 0.1
    text = "환자는 폐렴"
    own = AutoTokenizer.from_pretrained(folder)(text).input_ids
    assert AutoTokenizer.from_pretrained(out)(text).input_ids == own
    assert not list(out.glob("*.bin"))


def test_a_stack_folded_in_16_bits_is_within_its_proof_of_the_runs(
    tiny_folder_of, stacks, stack, tmp_path
) -> None:
    folder = tiny_folder_of("llama")
    layers = stack(folder)
    model = load(folder, dtype="bfloat16")
    proof = stacks.lora().fold(model, layers)
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out")
    found = logits(stock(tmp_path / "out", dtype=torch.bfloat16))
    expected = run_logits(folder, stacks, layers, dtype="bfloat16")
    assert (found - expected).abs().max() <= proof.tolerance
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"


def test_merged_weights_can_be_rounded_to_another_number_format(
    tiny_folder_of, stacks, stack, tmp_path
) -> None:
    model = load(tiny_folder_of("llama"))
    stacks.lora().fold(model, stack(tiny_folder_of("llama")))
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out", "bfloat16")
    assert stock(tmp_path / "out", dtype="auto").dtype == torch.bfloat16


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_a_stack_of_a_quantised_base_is_folded_into_what_its_bits_stand_for(
    tiny_folder_of, stacks, trained, tmp_path, kind
) -> None:
    """Put on the weights from before they were packed, its adapters would be on another base."""
    folder = tiny_folder_of("llama")
    layers = [stacks.layer("one", "freeze", trained(folder, "one", **STRONG))]
    model = load(folder, quantization=kind)
    proof = stacks.lora().fold(model, layers)
    assert proof.max_abs_logit_difference <= proof.tolerance
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out")
    found = logits(stock(tmp_path / "out"))
    packed = run_logits(folder, stacks, layers, quantization=kind)
    never_packed = run_logits(folder, stacks, layers)
    bound = {"nf4": 1e-4, "int8": 0.05}[kind]  # 8-bit layers round their inputs too
    assert (found - packed).abs().max() <= bound
    assert (found - packed).abs().max() < (found - never_packed).abs().max()


def test_dora_is_folded(tiny_folder_of, stacks, trained, tmp_path) -> None:
    folder = tiny_folder_of("llama")
    layers = [stacks.layer("one", "freeze", trained(folder, "one", use_dora=True, **STRONG))]
    model = load(folder)
    stacks.lora().fold(model, layers)
    assert (logits(model.module) - run_logits(folder, stacks, layers)).abs().max() <= 1e-5


@pytest.mark.parametrize("architecture", ["gemma3_multimodal", "phi3", "phi"])
def test_one_adapter_gives_the_logits_of_the_whole_stack_in_stock_peft(
    tiny_folder_of, stacks, stack, tmp_path, architecture
) -> None:
    folder = tiny_folder_of(architecture)
    layers = stack(folder)
    stacks.lora().concatenate(load(folder), layers, tmp_path / "one-adapter")
    config = json.loads((tmp_path / "one-adapter/adapter_config.json").read_text("utf-8"))
    assert config["lora_alpha"] == config["r"] == 8 + 2 + 8
    assert config["rank_pattern"] == config["alpha_pattern"] == {}
    assert all("." not in name for name in config["target_modules"]), "names that every tool understands"
    found = logits(PeftModel.from_pretrained(stock(folder), str(tmp_path / "one-adapter")))
    expected = run_logits(folder, stacks, layers)
    assert (found - expected).abs().max() <= 2e-5
    assert (logits(stock(folder)) - expected).abs().max() > 0.1


def test_what_one_adapter_cannot_say_is_refused(tiny_folder_of, stacks, trained, tmp_path) -> None:
    folder = tiny_folder_of("llama")
    layers = [stacks.layer("one", "freeze", trained(folder, "one", use_dora=True))]
    with pytest.raises(ModelError) as error:
        stacks.lora().concatenate(load(folder), layers, tmp_path / "out")
    assert error.value.code == "MR473"
    assert not (tmp_path / "out").exists()


def test_a_base_with_added_tokens_is_no_single_adapter(tiny_folder_of, stacks, trained, tmp_path) -> None:
    folder = tiny_folder_of("llama")
    layers = [stacks.layer("one", "freeze", trained(folder, "one"))]
    with pytest.raises(ModelError) as error:
        stacks.lora().concatenate(load(folder, add_tokens=("심근경색증",)), layers, tmp_path / "out")
    assert error.value.code == "MR473"


def test_merged_weights_bring_the_added_tokens_along(tiny_folder_of, stacks, trained, tmp_path) -> None:
    folder = tiny_folder_of("llama")
    layers = [stacks.layer("one", "freeze", trained(folder, "one", **STRONG))]
    model = load(folder, add_tokens=("심근경색증",))
    stacks.lora().fold(model, layers)
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer("심근경색증", add_special_tokens=False).input_ids
    assert ids == list(model.new_tokens)
    assert stock(tmp_path / "out").get_input_embeddings().num_embeddings > ids[0]


@pytest.mark.parametrize("why", ["quantised", "adapters"])
def test_what_is_no_plain_model_is_not_written(tiny_folder_of, stacks, trained, tmp_path, why) -> None:
    folder = tiny_folder_of("llama")
    model = load(folder, quantization="nf4" if why == "quantised" else None)
    if why == "adapters":
        stacks.lora().attach(model, [stacks.layer("one", "train")])
    with pytest.raises(ModelError) as error:
        model.save(tmp_path)
    assert error.value.code == "MR473"
