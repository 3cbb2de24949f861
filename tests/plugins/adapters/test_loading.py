from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline_dsl.api import ModelError

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def adapter(tiny_model_folder, trained):
    return trained(tiny_model_folder, "first")


@pytest.fixture
def refusal(tiny_model_folder, load_tiny, stacks, adapter):
    """Return a function that attaches the damaged adapter and returns the refusal."""

    def attach(role: str = "freeze") -> ModelError:
        with pytest.raises(ModelError) as caught:
            stacks.lora().attach(load_tiny(tiny_model_folder), [stacks.layer("first", role, adapter)])
        assert "\n" not in caught.value.message
        return caught.value

    return attach


def rewrite(adapter, change) -> None:
    tensors = load_file(adapter / WEIGHTS)
    change(tensors)
    save_file(tensors, adapter / WEIGHTS)


def first_key(tensors) -> str:
    return min(tensors)


@pytest.mark.parametrize("role", ["freeze", "continue", "merge"])
def test_a_missing_tensor_is_refused_in_every_role(adapter, refusal, role) -> None:
    rewrite(adapter, lambda t: t.pop(first_key(t)))
    error = refusal(role)
    assert error.code == "MR462"
    assert "lacks" in error.message


def test_42_a_layer_too_many_is_refused(adapter, refusal) -> None:
    def add(tensors) -> None:
        key = first_key(tensors)
        tensors[key.replace("layers.0", "layers.7")] = tensors[key].clone()

    rewrite(adapter, add)
    assert "layers.7" in refusal().message


def test_a_tensor_of_another_shape_is_refused(adapter, refusal) -> None:
    rewrite(adapter, lambda t: t.update({first_key(t): torch.zeros(4, 3)}))
    assert "another shape" in refusal().message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_45_numbers_that_are_not_finite_are_refused(adapter, refusal, value) -> None:
    rewrite(adapter, lambda t: t[first_key(t)].view(-1)[0].fill_(value))
    assert refusal().code == "MR458"


@pytest.mark.parametrize("keep", [3, 100, -1])
def test_43_truncated_weights_are_refused(adapter, refusal, keep) -> None:
    path = adapter / WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal().code == "MR456"


@pytest.mark.parametrize("file", [WEIGHTS, "adapter_config.json"])
def test_46_a_missing_file_is_refused_and_nothing_is_downloaded(adapter, refusal, file) -> None:
    (adapter / file).unlink()
    error = refusal()
    assert error.code == "MR461"
    assert file in error.message


def test_47_an_adapter_as_a_pickle_is_refused(adapter, refusal) -> None:
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    assert refusal().code == "MR453"


@pytest.mark.parametrize(
    "changes",
    [
        {"peft_type": "IA3"},
        {"init_lora_weights": "pissa"},
        {"modules_to_save": ["lm_head"]},
        {"trainable_token_indices": [1, 2]},
    ],
    ids=lambda c: next(iter(c)),
)
def test_an_adapter_that_a_stack_cannot_carry_is_refused(adapter, refusal, changes) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert refusal().code == "MR462"


def test_a_configuration_that_is_no_json_is_refused(adapter, refusal) -> None:
    (adapter / "adapter_config.json").write_text("{")
    assert refusal().code == "MR456"


def test_an_adapter_of_another_architecture_is_refused(tiny_folder_of, load_tiny, stacks, adapter) -> None:
    with pytest.raises(ModelError):
        stacks.lora().attach(load_tiny(tiny_folder_of("phi3")), [stacks.layer("first", "freeze", adapter)])
