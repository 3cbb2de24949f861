from __future__ import annotations

import pytest
import torch
from peft import PeftModel

from medrecipe_plugins.adapters import _merge
from pipeline_dsl.api import MergeProof, ModelError

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_merged_adapters_compute_what_stacked_ones_do(
    tiny_folder_of, load_tiny, trained, stacks, architecture
) -> None:
    folder = tiny_folder_of(architecture)
    first = trained(folder, "first")
    second = trained(folder, "second", (stacks.layer("first", "freeze", first),), seed=4, use_rslora=True)
    stacked, merged = load_tiny(folder), load_tiny(folder)
    stacks.lora().attach(
        stacked, [stacks.layer("first", "freeze", first), stacks.layer("second", "freeze", second)]
    )
    report = stacks.lora().attach(
        merged, [stacks.layer("first", "merge", first), stacks.layer("second", "merge", second)]
    )
    assert torch.allclose(stacks.logits(stacked.module), stacks.logits(merged.module), atol=1e-5)
    assert report.merge is not None
    assert report.merge.adapters == ("first", "second")
    assert report.merge.max_abs_logit_difference <= report.merge.tolerance
    assert report.merge.max_kl < 1e-5
    assert report.merge.probes == len(_merge.PROBES)


def test_a_merged_base_carries_no_trace_of_peft(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    plain, model = load_tiny(tiny_model_folder), load_tiny(tiny_model_folder)
    stacks.lora().attach(model, [stacks.layer("first", "merge", first)])
    assert [n for n, _ in model.module.named_parameters()] == [n for n, _ in plain.module.named_parameters()]
    assert not hasattr(model.module, "peft_config")
    assert not any(p.requires_grad for p in model.module.parameters())


def test_a_new_adapter_goes_on_top_of_merged_ones(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    merged, model = load_tiny(tiny_model_folder), load_tiny(tiny_model_folder)
    stacks.lora().attach(merged, [stacks.layer("first", "merge", first)])
    report = stacks.lora().attach(
        model, [stacks.layer("first", "merge", first), stacks.layer("second", "train")]
    )
    assert torch.equal(stacks.logits(model.module), stacks.logits(merged.module))
    assert all(".second." in name for name in report.trainable)


def test_updates_are_summed_in_32_bits_and_rounded_once(
    tiny_model_folder, load_tiny, trained, stacks
) -> None:
    folders = {name: trained(tiny_model_folder, name, seed=i) for i, name in enumerate(("a", "b", "c"))}
    exact, model = load_tiny(tiny_model_folder), load_tiny(tiny_model_folder)
    exact.module.to(torch.bfloat16).to(torch.float32)
    model.module.to(torch.bfloat16)
    layers = [stacks.layer(name, "merge", folder) for name, folder in folders.items()]
    stacks.lora().attach(exact, layers)
    report = stacks.lora().attach(model, layers)
    key = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(model.module.state_dict()[key], exact.module.state_dict()[key].to(torch.bfloat16))
    assert report.merge is not None
    assert report.merge.tolerance > 1e-2


def test_dora_is_merged_by_itself_and_matches_stock_peft(
    tiny_model_folder, load_tiny, trained, stacks
) -> None:
    first = trained(tiny_model_folder, "first", use_dora=True)
    second = trained(tiny_model_folder, "second", (stacks.layer("first", "merge", first),), seed=4)
    model = load_tiny(tiny_model_folder)
    stacks.lora().attach(
        model, [stacks.layer("first", "merge", first), stacks.layer("second", "merge", second)]
    )
    stock = PeftModel.from_pretrained(load_tiny(tiny_model_folder).module, first).merge_and_unload()
    stock = PeftModel.from_pretrained(stock, second)
    assert torch.allclose(stacks.logits(model.module), stacks.logits(stock), atol=1e-4)


def test_a_merge_that_forgets_an_adapter_is_refused(
    tiny_model_folder, load_tiny, trained, stacks, monkeypatch
) -> None:
    first, second = trained(tiny_model_folder, "first"), trained(tiny_model_folder, "second", seed=4)
    fold = _merge._fold
    monkeypatch.setattr(_merge, "_fold", lambda peft, names: fold(peft, names[:1]))
    with pytest.raises(ModelError) as caught:
        stacks.lora().attach(
            load_tiny(tiny_model_folder),
            [stacks.layer("first", "merge", first), stacks.layer("second", "merge", second)],
        )
    assert caught.value.code == "MR463"


def test_a_proof_with_nan_is_no_proof() -> None:
    proof = MergeProof(
        adapters=("a",), probes=1, max_abs_logit_difference=float("nan"), max_kl=0.0, tolerance=1.0
    )
    with pytest.raises(ModelError):
        _merge._refuse_unproven(proof)


def test_the_tolerance_follows_the_number_format() -> None:
    assert _merge.tolerance(torch.float32, 5.0, 0.01) == pytest.approx(1e-4)
    assert _merge.tolerance(torch.bfloat16, 10.0, 0.01) == pytest.approx(0.625)
    assert _merge.tolerance(torch.float32, 5.0, 2.0) == pytest.approx(2e-3)


def test_53_nothing_is_merged_into_a_quantised_base(tiny_model_folder, load_tiny, trained, stacks) -> None:
    first = trained(tiny_model_folder, "first")
    model = load_tiny(tiny_model_folder)
    projection = model.module.model.layers[0].mlp.up_proj
    projection.weight = torch.nn.Parameter(projection.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(ModelError, match="quantised") as caught:
        stacks.lora().attach(model, [stacks.layer("first", "merge", first)])
    assert caught.value.code == "MR464"
