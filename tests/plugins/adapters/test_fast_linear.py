"""PEFT's layer with our training step: the same function, the same gradients."""

from __future__ import annotations

import pytest
import torch
from peft.tuners.lora.layer import Linear

from medrecipe_plugins.adapters._fast_linear import FastLinear, kept, kept_mask, kept_share, quick
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import LoadRequest

IDS = torch.randint(5, 300, (2, 24), generator=torch.Generator().manual_seed(1))


def load(folder, **options):
    base = CausalLM(options=Options(folder=str(folder), **({"dtype": "float32"} | options)))
    return base.load(LoadRequest(device="cpu", seed=1))


def step(module) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    module.train()
    module.zero_grad()
    out = module(input_ids=IDS, labels=IDS, use_cache=False)
    out.loss.backward()
    return out.logits.detach(), {
        n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None
    }


def fast_layers(module) -> list[FastLinear]:
    return [part for part in module.modules() if isinstance(part, FastLinear)]


@pytest.fixture
def model(tiny_folder_of, stacks, trained):
    """Return a function that makes a model with two frozen adapters and a trained one."""

    def make(architecture: str = "llama", **options):
        folder = tiny_folder_of(architecture)
        plain = {"dropout": 0.0, "target_modules": "all-linear"}
        layers = [
            stacks.layer(name, "freeze", trained(folder, name, seed=seed, **plain))
            for seed, name in enumerate(("one", "two"), 3)
        ]
        model = load(folder)
        own = stacks.layer("three", "train", **(plain | options))
        own.adapter.attach(model, [*layers, own])
        stacks.disturb(model.module)
        return model.module

    return make


@pytest.mark.parametrize("architecture", ["llama", "phi"])
def test_outputs_and_gradients_are_pefts(model, architecture):
    module = model(architecture, use_rslora=True)
    expected, slopes = step(module)
    with quick(module):
        assert all(
            layer._parts.lora_a is layer.lora_A["three"].weight and layer._parts.frozen[0].shape[0] == 8
            for layer in fast_layers(module)
        )
        found, own = step(module)
    assert (found - expected).abs().max() <= 1e-5
    assert own.keys() == slopes.keys()
    for name, slope in slopes.items():
        assert torch.allclose(own[name], slope, rtol=1e-4, atol=1e-6), name
    again, _ = step(module)
    assert torch.equal(again, expected), "outside it is PEFT's own"


def test_evaluation_is_pefts_inside_too(model):
    module = model().eval()
    with torch.no_grad():
        expected = module(input_ids=IDS).logits
        with quick(module):
            assert torch.equal(module(input_ids=IDS).logits, expected)


def test_dropout_keeps_what_it_says_and_scales_it_up(model):
    x = torch.ones(400, 500)
    torch.manual_seed(1)
    mask = kept_mask(x, 0.1)
    assert float(kept(x, mask).mean()) == pytest.approx(kept_share(0.1), abs=3e-3)
    assert kept_share(0.1) == pytest.approx(0.9, abs=1e-5)
    torch.manual_seed(1)
    assert torch.equal(kept_mask(x, 0.1), mask)
    assert not torch.equal(kept_mask(x, 0.1), mask)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_what_is_kept_stays_bit_by_bit_and_the_rest_is_zero(dtype):
    x = torch.randn(37, 11).to(dtype)
    mask = kept_mask(x, 0.5)
    assert set(mask.unique().tolist()) == {-1, 0}
    assert torch.equal(kept(x, mask), torch.where(mask.bool(), x, 0.0))
    assert bool(kept_mask(x, 0.0).bool().all())
    assert not bool(kept_mask(x, 1.0).bool().any())


def test_dropout_is_right_on_average_and_the_same_forward_and_backward(model):
    module = model(dropout=0.3)
    for part in fast_layers(module):
        assert part.lora_dropout["three"].p == 0.3
    layer = fast_layers(module)[0]
    layer.train()
    x = torch.randn(6, layer.in_features)
    with torch.no_grad():
        layer.lora_A["three"].weight.normal_()
        layer.lora_B["three"].weight.normal_()
    layer.begin()
    outputs = torch.stack([layer(x) for _ in range(3000)]).detach()
    layer.end()
    layer.eval()
    expected = layer(x).detach()
    error = outputs.std(0) / 3000**0.5
    assert ((outputs.mean(0) - expected).abs() < 5 * error + 1e-4).all()


def test_gradients_with_dropout_are_those_of_the_mask_that_was_drawn(model):
    layer = fast_layers(model(dropout=0.3))[0].double()
    layer.train()
    layer.begin()
    torch.manual_seed(0)
    x = torch.randn(3, layer.in_features, dtype=torch.float64, requires_grad=True)

    def run(x, a, b):
        torch.manual_seed(7)
        with torch.no_grad():
            layer.lora_A["three"].weight.copy_(a)
            layer.lora_B["three"].weight.copy_(b)
        from medrecipe_plugins.adapters._fast_linear import _Step

        return _Step.apply(
            x,
            layer.base_layer.weight,
            None,
            a,
            b,
            2.0,
            0.3,
            tuple(factor.double() for factor in layer._parts.frozen),
        )

    a = layer.lora_A["three"].weight.detach().clone().requires_grad_()
    b = torch.randn_like(layer.lora_B["three"].weight).requires_grad_()
    out = run(x, a, b)
    weights = torch.randn_like(out)
    slopes = torch.autograd.grad((out * weights).sum(), (x, a, b))
    for tensor, slope, at in zip((x, a, b), slopes, ((1, 5), (2, 9), (7, 1)), strict=True):
        small = torch.zeros_like(tensor)
        small[at] = 1e-6
        moved = [t + small if t is tensor else t for t in (x, a, b)]
        numeric = ((run(*moved) - run(x, a, b)) * weights).sum() / 1e-6
        assert float(slope[at].detach()) == pytest.approx(float(numeric.detach()), rel=1e-3, abs=1e-4)


def test_more_than_one_trained_adapter_or_dora_stays_with_peft(tiny_folder_of, stacks):
    for options in ({"use_dora": True}, {}):
        model = load(tiny_folder_of("llama"))
        layers = [stacks.layer("a", "train", **options)]
        layers += [] if options else [stacks.layer("b", "train")]
        layers[-1].adapter.attach(model, layers)
        with quick(model.module):
            assert {layer._parts for layer in fast_layers(model.module)} <= {None}


def test_quantised_layers_are_pefts_own(tiny_folder_of, stacks):
    model = load(tiny_folder_of("llama"), quantization="nf4")
    layer = stacks.layer("a", "train")
    layer.adapter.attach(model, [layer])
    assert fast_layers(model.module) == []


def test_what_is_saved_knows_nothing_of_it(tiny_folder_of, trained):
    saved = trained(tiny_folder_of("llama"), "one")
    assert "Fast" not in (saved / "adapter_config.json").read_text("utf-8")
    assert issubclass(FastLinear, Linear)
