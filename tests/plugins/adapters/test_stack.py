from __future__ import annotations

import pytest
import torch
from peft import PeftModel

from medrecipe_plugins.adapters import _stack
from pipeline_dsl.api import GuardError, ModelError


def test_a_new_adapter_leaves_the_output_as_it_was(tiny_model, stacks) -> None:
    before = stacks.logits(tiny_model.module)
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    assert torch.equal(stacks.logits(tiny_model.module), before)


def test_exactly_the_adapters_that_train_are_trainable(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    second = trained(tiny_model_folder, "second", seed=4)
    model = load_tiny(tiny_model_folder)
    layers = [
        stacks.layer("first", "freeze", first),
        stacks.layer("second", "continue", second),
        stacks.layer("third", "train"),
    ]
    report = stacks.lora().attach(model, layers)
    found = {name for name, p in model.module.named_parameters() if p.requires_grad}
    assert set(report.trainable) == found
    assert {name.split(".")[-2] for name in found} == {"second", "third"}
    assert len(found) == 2 * 2 * 4 * 2  # adapters, matrices, projections, layers
    assert model.module.base_model.active_adapters == ["first", "second", "third"]


def test_a_stack_computes_what_stock_peft_stacked_computes(
    tiny_model_folder, load_tiny, trained, stacks
) -> None:
    first, second = trained(tiny_model_folder, "first"), trained(tiny_model_folder, "second", seed=4)
    model = load_tiny(tiny_model_folder)
    stacks.lora().attach(
        model, [stacks.layer("first", "freeze", first), stacks.layer("second", "continue", second)]
    )
    stock = PeftModel.from_pretrained(load_tiny(tiny_model_folder).module, first, adapter_name="one")
    stock.load_adapter(second, adapter_name="two")
    stock.base_model.set_adapter(["one", "two"])
    assert torch.allclose(stacks.logits(model.module), stacks.logits(stock), atol=1e-5)


def test_a_frozen_adapter_is_active(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    model = load_tiny(tiny_model_folder)
    before = stacks.logits(model.module)
    report = stacks.lora().attach(model, [stacks.layer("first", "freeze", first)])
    assert report.trainable == ()
    assert (stacks.logits(model.module) - before).abs().max() > 1e-2


def test_first_weights_follow_from_seed_and_name_alone(tiny_model_folder, load_tiny, stacks) -> None:
    def weights(name: str, noise: int) -> torch.Tensor:
        model = load_tiny(tiny_model_folder)
        torch.manual_seed(noise)
        stacks.lora().attach(model, [stacks.layer(name, "train")])
        return next(p for n, p in model.module.named_parameters() if "lora_A" in n)

    assert torch.equal(weights("terms", 1), weights("terms", 2))
    assert not torch.equal(weights("terms", 1), weights("exam", 1))


def test_attaching_draws_no_random_numbers_of_others(tiny_model, stacks) -> None:
    before = torch.get_rng_state()
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "name", ["train", "mlp", "lora", "self_attn", "한국어", "phase.1", "my_lora_a", "weight"]
)
def test_any_phase_name_can_name_an_adapter(tiny_model_folder, load_tiny, stacks, tmp_path, name) -> None:
    model = load_tiny(tiny_model_folder)
    stacks.lora().attach(model, [stacks.layer(name, "train")])
    stacks.disturb(model.module)
    stacks.lora().save(model, name, tmp_path / "saved")
    again = load_tiny(tiny_model_folder)
    stacks.lora().attach(again, [stacks.layer(name, "freeze", tmp_path / "saved")])
    assert torch.equal(stacks.logits(again.module), stacks.logits(model.module))


def test_trained_parameters_are_in_32_bits_on_a_16_bit_base(tiny_model, stacks) -> None:
    tiny_model.module.to(torch.bfloat16)
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    assert {p.dtype for p in tiny_model.module.parameters() if p.requires_grad} == {torch.float32}
    assert torch.isfinite(stacks.logits(tiny_model.module)).all()


def test_18_a_parameter_too_many_or_too_few_is_found(tiny_model, stacks) -> None:
    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    _stack.verify_trainable(tiny_model.module, ["terms"])
    norm = tiny_model.module.get_base_model().model.norm.weight
    norm.requires_grad_(requires_grad=True)
    with pytest.raises(GuardError, match="norm"):
        _stack.verify_trainable(tiny_model.module, ["terms"])
    norm.requires_grad_(requires_grad=False)
    tiny_model.module.base_model.set_requires_grad("terms", requires_grad=False)
    with pytest.raises(GuardError) as caught:
        _stack.verify_trainable(tiny_model.module, ["terms"])
    assert caught.value.code == "MR483"


def test_a_base_without_adapters_trains_nothing(tiny_model, stacks) -> None:
    report = stacks.lora().attach(tiny_model, [])
    assert (report.trainable, report.trainable_parameters, report.merge) == ((), 0, None)


def test_illegal_stacks_are_refused(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    illegal = {
        "merged below": [stacks.layer("new", "train"), stacks.layer("first", "merge", first)],
        "twice": [stacks.layer("first", "freeze", first), stacks.layer("first", "train")],
        "no saved weights": [stacks.layer("first", "freeze")],
    }
    for text, layers in illegal.items():
        with pytest.raises(ModelError, match=text):
            stacks.lora().attach(load_tiny(tiny_model_folder), layers)


def test_a_model_takes_one_stack(tiny_model, stacks) -> None:
    stacks.lora().attach(tiny_model, [stacks.layer("first", "train")])
    with pytest.raises(ModelError, match="carries a stack already"):
        stacks.lora().attach(tiny_model, [stacks.layer("second", "train")])


def test_dora_beside_another_active_adapter_is_refused(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    layers = [stacks.layer("first", "freeze", first), stacks.layer("second", "train", use_dora=True)]
    with pytest.raises(ModelError, match="DoRA"):
        stacks.lora().attach(load_tiny(tiny_model_folder), layers)


def test_an_output_layer_that_shares_the_embeddings_is_refused(tiny_model, stacks) -> None:
    with pytest.raises(ModelError, match="lm_head"):
        stacks.lora().attach(tiny_model, [stacks.layer("a", "train", target_modules=("lm_head",))])


def test_a_model_with_adapters_is_observed_like_any(tiny_model, stacks) -> None:
    from pipeline_dsl.api import Need, Sample

    stacks.lora().attach(tiny_model, [stacks.layer("terms", "train")])
    stacks.disturb(tiny_model.module)
    sample = Sample(prompt="fever:", completion=" 발열", choices=("A", "B"))
    before = [p.requires_grad for p in tiny_model.module.parameters()]
    for need in Need:
        assert len(tiny_model.observe([sample], need, max_new_tokens=3)) == 1
    assert [p.requires_grad for p in tiny_model.module.parameters()] == before
    tiny_model.module.train()
    tiny_model.module(input_ids=torch.tensor([[2, 5, 6]]), labels=torch.tensor([[2, 5, 6]])).loss.backward()
