from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from medrecipe_plugins.adapters._attached import frozen_digest
from pipeline_dsl.api import GuardError, ModelError

VARIANTS = {
    "plain": {},
    "rslora": {"use_rslora": True, "target_modules": "all-linear"},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"k_proj": 3}},
    "gaussian": {"init": "gaussian"},
    "olora": {"init": "olora"},
    "pissa": {"init": "pissa", "use_rslora": True, "rank_pattern": {"q_proj": 2}},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("architecture", ["gemma3_multimodal", "phi3"])
def test_stock_peft_reads_a_saved_adapter(
    tiny_folder_of, load_tiny, stacks, tmp_path, architecture, variant
) -> None:
    options = {
        k: v for k, v in VARIANTS[variant].items() if architecture != "phi3" or not k.endswith("_pattern")
    }
    folder = tiny_folder_of(architecture)
    model = load_tiny(folder)
    own = stacks.lora(**options)
    own.attach(model, [stacks.layer("terms", "train", **options)])
    stacks.disturb(model.module)
    own.save(model, "terms", tmp_path / "saved")
    stock = PeftModel.from_pretrained(load_tiny(folder).module, tmp_path / "saved")
    assert torch.allclose(stacks.logits(stock), stacks.logits(model.module), atol=1e-5)
    again = load_tiny(folder)
    own.attach(again, [stacks.layer("terms", "freeze", tmp_path / "saved")])
    assert torch.allclose(stacks.logits(again.module), stacks.logits(model.module), atol=1e-5)


def test_a_folder_holds_weights_and_configuration_and_nothing_else(tiny_model_folder, trained) -> None:
    folder = trained(tiny_model_folder, "terms")
    assert sorted(p.name for p in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == tiny_model_folder.name
    assert config["task_type"] == "CAUSAL_LM"
    assert config["inference_mode"] is True
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert not any("terms" in key for key in load_file(folder / "adapter_model.safetensors"))


def test_equal_adapters_are_equal_bytes(tiny_model_folder, trained, tmp_path) -> None:
    first = {p.name: p.read_bytes() for p in trained(tiny_model_folder, "terms").iterdir()}
    assert first == {p.name: p.read_bytes() for p in trained(tiny_model_folder, "terms").iterdir()}


def test_one_of_several_adapters_is_saved_alone(
    tiny_model_folder, load_tiny, trained, stacks, tmp_path
) -> None:
    first = trained(tiny_model_folder, "first")
    model = load_tiny(tiny_model_folder)
    stacks.lora().attach(model, [stacks.layer("first", "freeze", first), stacks.layer("second", "train")])
    stacks.disturb(model.module, seed=9)
    stacks.lora().save(model, "second", tmp_path / "saved")
    stacks.lora().save(model, "first", tmp_path / "again")
    saved, again = (
        load_file(tmp_path / "saved/adapter_model.safetensors"),
        load_file(tmp_path / "again/adapter_model.safetensors"),
    )
    original = load_file(first / "adapter_model.safetensors")
    assert set(saved) == set(again) == set(original)
    assert all(torch.equal(again[key], original[key]) for key in original)
    assert not any(torch.equal(saved[key], original[key]) for key in original)


@pytest.mark.parametrize(
    "options", [{}, {"init": "olora"}, {"use_dora": True}], ids=["plain", "olora", "dora"]
)
def test_19_an_adapter_that_learned_nothing_is_not_saved(tiny_model, stacks, tmp_path, options) -> None:
    own = stacks.lora(**options)
    own.attach(tiny_model, [stacks.layer("terms", "train", **options)])
    with pytest.raises(GuardError, match="no effect") as caught:
        own.save(tiny_model, "terms", tmp_path / "saved")
    assert caught.value.code == "MR481"
    assert not (tmp_path / "saved").exists()


def test_8_an_adapter_with_nan_is_not_saved(tiny_model, stacks, tmp_path) -> None:
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    stacks.disturb(tiny_model.module)
    weight = next(p for p in tiny_model.module.parameters() if p.requires_grad)
    weight.data[0, 0] = float("nan")
    with pytest.raises(GuardError, match="not finite"):
        stacks.lora().save(tiny_model, "terms", tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_18_nothing_is_saved_when_the_base_moved(tiny_model, stacks, tmp_path) -> None:
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    stacks.disturb(tiny_model.module)
    tiny_model.module.get_base_model().model.norm.weight.data[3] += 1e-4
    with pytest.raises(GuardError, match="stay frozen") as caught:
        stacks.lora().save(tiny_model, "terms", tmp_path / "saved")
    assert caught.value.code == "MR482"


def test_an_adapter_that_is_not_there_is_not_saved(tiny_model, stacks, tmp_path) -> None:
    with pytest.raises(ModelError, match="not on this model"):
        stacks.lora().save(tiny_model, "terms", tmp_path / "saved")


def test_the_digest_sees_frozen_weights_only(tiny_model, stacks) -> None:
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    before = frozen_digest(tiny_model.module)
    stacks.disturb(tiny_model.module)
    assert frozen_digest(tiny_model.module) == before
    tiny_model.module.get_base_model().model.norm.weight.data[0] *= 1.001
    assert frozen_digest(tiny_model.module) != before


def test_a_large_models_digest_sees_a_change_too(tiny_model, stacks, monkeypatch) -> None:
    from medrecipe_plugins.adapters import _attached

    monkeypatch.setattr(_attached, "_HASH_UP_TO", 0)
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    before = frozen_digest(tiny_model.module)
    tiny_model.module.get_base_model().model.norm.weight.data[0] += 0.01
    assert frozen_digest(tiny_model.module) != before
