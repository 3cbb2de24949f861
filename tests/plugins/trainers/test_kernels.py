"""A training takes what proves itself on the machine that it runs on, and says so."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import replace

import pytest
import torch
from torch.nn.attention.flex_attention import create_mask, flex_attention

from medrecipe_plugins.models._flex_attention import FlexAttention, block_mask
from medrecipe_plugins.models._glus import FastGlu, fast_glus
from medrecipe_plugins.models._norms import FastNorm, rms_norm
from medrecipe_plugins.models._packed_attention import by_calls
from medrecipe_plugins.models._packs import packs_of
from medrecipe_plugins.models._sight import sight_of
from medrecipe_plugins.models._watching import watch
from medrecipe_plugins.trainers import _kernels
from medrecipe_plugins.trainers._fast_step import FastStep
from medrecipe_plugins.trainers._kernels import Choice, Kernels, Offers, Trial, choose, earlier
from pipeline_dsl.api import Prepared

ARCHITECTURES = ["gemma3", "llama", "phi3", "phi"]
LENGTHS = (100, 33, 7, 20, 90, 61)


def samples(count: int = len(LENGTHS)) -> list[Prepared]:
    common = list(range(5, 45))
    rows = [[*common, *((n * 7 + k) % 200 + 5 for k in range(LENGTHS[n]))] for n in range(count)]
    return [Prepared(str(n), array("i", row), 50 if len(row) > 60 else 1) for n, row in enumerate(rows)]


def packs(count: int = len(LENGTHS)):
    return list(packs_of(samples(count), 1 << 20, "cpu", share=True))


def masked(query, key, value, pack, *, scale, window, dropout):
    """Attention by the mask that flex attention has: what it computes, with a way back on a CPU."""
    tokens = query.shape[2]
    mask = block_mask(sight_of(pack.stretches, window, "cpu")).mask_mod
    return torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=create_mask(mask, 1, 1, tokens, tokens, "cpu")[0, 0],
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    ).transpose(1, 2)


def blind(query, key, value, pack, **named):
    """One that forgets what a sample shares with others."""
    alone = tuple(replace(stretch, under=number) for number, stretch in enumerate(pack.stretches))
    return masked(query, key, value, replace(pack, stretches=alone), **named)


def no_kernel(*_, **__):
    raise NotImplementedError("no kernel for this GPU")


def exact_norm(x, scale, epsilon, dtype):
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * scale).to(dtype)


def wrong_norm(x, scale, epsilon, dtype):
    return exact_norm(x, scale * 1.01, epsilon, dtype)


def product(activation):
    return lambda gate, up: up * activation(gate)


def wrong_product(activation):
    return lambda gate, up: up * gate


class Clock:
    """Every other work takes one second, those between so many."""

    def __init__(self, seconds: float) -> None:
        self._turns = itertools.cycle([seconds, 1.0])

    def __call__(self, work, device) -> float:
        work()
        return next(self._turns)


@pytest.fixture
def model(tiny_folder_of, load_tiny):
    def of(architecture: str):
        found = load_tiny(tiny_folder_of(architecture)).module
        return found.requires_grad_(requires_grad=False).train()

    return of


@pytest.fixture
def tried(model):
    """What becomes of offers to a model: what is chosen, and what is said."""

    def of(
        architecture: str, offered: Offers, speed: float = 2.0, before: Choice | None = None
    ) -> tuple[Kernels, list[str]]:
        said: list[str] = []
        uses = watch(model(architecture), "cpu", [*packs(), *packs(2)])
        return Trial(uses, said.append, Clock(speed), before).chosen(offered), said

    return of


def test_what_is_offered_and_proves_itself_is_chosen(tried):
    found, said = tried("gemma3", Offers(attention=lambda: masked, norm=lambda: exact_norm, product=product))
    assert found.attention is masked
    assert found.norm is exact_norm
    assert found.product is not None
    assert said == [
        "flex attention is used: it computes the same, 2 times as fast",
        "the RMS norm of liger-kernel is used: it computes the same, 2 times as fast",
        "the GLU of liger-kernel is used: it computes the same, 2 times as fast",
    ]


def test_what_disagrees_is_not(tried):
    found, said = tried(
        "llama", Offers(attention=lambda: blind, norm=lambda: wrong_norm, product=wrong_product)
    )
    assert found == Kernels()
    assert [line.partition(" off by ")[0] for line in said] == [
        "flex attention is not used: its output is",
        "the RMS norm of liger-kernel is not used: its output is",
        "the GLU of liger-kernel is not used: its output is",
    ]


def test_what_raises_is_not(tried):
    def missing(*_):
        raise ImportError("no module named triton")

    found, said = tried("phi3", Offers(attention=lambda: no_kernel, norm=missing, product=missing))
    assert found == Kernels()
    assert said == [
        "flex attention is not used: it ends in NotImplementedError: no kernel for this GPU",
        "the RMS norm of liger-kernel is not used: it ends in ImportError: no module named triton",
        "the GLU of liger-kernel is not used: it ends in ImportError: no module named triton",
    ]


def test_what_is_slower_is_not(tried):
    found, said = tried("llama", Offers(attention=lambda: masked), speed=0.5)
    assert found == Kernels()
    assert said == ["flex attention is not used: it computes the same, 0.5 times as fast"]


def test_a_training_that_goes_on_computes_as_it_did_whatever_is_faster_now(tried, tmp_path):
    offered = Offers(attention=lambda: masked, norm=lambda: exact_norm, product=product)
    assert earlier(tmp_path) is None
    Kernels(attention=masked).write(tmp_path)
    found, said = tried("gemma3", offered, speed=0.5, before=earlier(tmp_path))
    assert found == Kernels(attention=masked)
    assert said == ["flex attention is used: it computes the same"]
    Kernels().write(tmp_path)
    found, said = tried("gemma3", offered, speed=2.0, before=earlier(tmp_path))
    assert (found, said) == (Kernels(), [])


def test_what_was_chosen_and_no_longer_computes_the_same_is_not_used(tried):
    found, said = tried("llama", Offers(attention=lambda: no_kernel), before={"attention": True})
    assert found == Kernels()
    assert said == ["flex attention is not used: it ends in NotImplementedError: no kernel for this GPU"]


def test_flex_attention_itself_has_no_way_back_on_a_cpu_and_is_refused(tried):
    found, said = tried("gemma3", Offers(attention=lambda: FlexAttention(flex_attention)))
    assert found == Kernels()
    (line,) = said
    assert "FlexAttention does not support backward on CPU" in line


def test_what_a_model_has_no_use_for_is_left_alone(tried):
    found, said = tried("phi", Offers(norm=lambda: exact_norm, product=product))
    assert found == Kernels()
    assert said == ["the RMS norm of liger-kernel is not used: this model has no use for it"]


def test_on_a_cpu_nothing_is_tried(model, monkeypatch):
    monkeypatch.setattr(_kernels, "offers", no_kernel)
    said: list[str] = []
    assert choose(model("llama"), "cpu", packs(), said.append) == Kernels()
    assert not said


def test_on_a_gpu_all_that_is_there_is_tried(model, monkeypatch):
    monkeypatch.setattr(_kernels, "offers", lambda: Offers(attention=lambda: no_kernel))
    monkeypatch.setattr(_kernels, "watch", lambda module, _, some: watch(module, "cpu", some))
    said: list[str] = []
    module = model("llama")
    assert choose(module, "cuda:0", packs(), said.append) == Kernels()
    assert said == ["flex attention is not used: it ends in NotImplementedError: no kernel for this GPU"]
    module.config.attention_dropout = 0.1
    assert choose(module, "cuda:0", packs(), said.append) == Kernels()
    assert said[1:] == ["flex attention is not used: this model's attention has dropout"]


def test_packs_that_do_not_fit_are_left_to_the_training(model, monkeypatch):
    def raising(error):
        def watched(*_):
            raise error

        return watched

    said: list[str] = []
    monkeypatch.setattr(_kernels, "watch", raising(torch.OutOfMemoryError("CUDA out of memory.")))
    assert choose(model("llama"), "cuda:0", packs(), said.append) == Kernels()
    assert said == ["no other kernels are tried: memory does not suffice for the first packs"]
    monkeypatch.setattr(_kernels, "watch", raising(RuntimeError("a mistake")))
    with pytest.raises(RuntimeError, match="a mistake"):
        choose(model("llama"), "cuda:0", packs(), said.append)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_watching_sees_each_layer_and_leaves_the_model_as_it_was(model, architecture):
    module = model(architecture)
    decoder = module.get_decoder()
    parts = list(decoder.modules())
    uses = watch(module, "cpu", [*packs(), *packs(2)])
    layers = len(decoder.layers)
    assert sum(use.count for use in uses.attentions.values()) == 2 * layers
    norms = {"gemma3": 6, "llama": 2, "phi3": 2, "phi": None}[architecture]
    assert sum(use.count for use in uses.norms.values()) == (2 * (norms * layers + 1) if norms else 0)
    assert sum(use.count for use in uses.glus.values()) == (2 * layers if architecture != "phi" else 0)
    assert all(one is other for one, other in zip(decoder.modules(), parts, strict=True))
    assert module.training
    assert not any(part._forward_pre_hooks for part in decoder.modules())


@pytest.mark.parametrize("architecture", ARCHITECTURES[:3])
def test_a_step_by_other_kernels_has_the_loss_and_the_gradients_of_one_without(model, architecture):
    module = model(architecture)
    layers = module.get_decoder().layers
    trained = [layer.self_attn.o_proj.weight.requires_grad_() for layer in layers]
    activation = getattr(layers[0].mlp, "act_fn", None) or layers[0].mlp.activation_fn
    asked: dict[str, list[int]] = {"attention": [], "norm": [], "product": []}

    def counted(name, way):
        def computed(*arguments, **named):
            asked[name].append(arguments[0].shape[-2])
            return way(*arguments, **named)

        return computed

    kernels = Kernels(
        attention=counted("attention", masked),
        norm=counted("norm", exact_norm),
        product=counted("product", product(activation)),
    )
    found = []
    for chosen in (Kernels(), kernels):
        step = FastStep(module, "cpu", 1 << 20, share=True, kernels=chosen)
        with step.working():
            (pack,) = step.packs([replace(item, start=len(item.ids) - 3) for item in samples()])
            loss = step.loss(pack)
            found.append((loss.detach(), *torch.autograd.grad(loss, trained)))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
    tokens, labels = pack.ids.numel(), len(pack.attention.needed)
    assert asked["attention"] == [tokens] * len(layers)
    assert asked["product"] == [tokens] * (len(layers) - 1) + [labels], "the last layer computes labels alone"
    assert len(asked["norm"]) > 2 * len(layers)


@pytest.mark.parametrize("architecture", ARCHITECTURES[:3])
def test_evaluations_in_a_training_are_the_models_bit_for_bit(model, architecture):
    module = model(architecture).eval()
    ids = torch.tensor([list(samples()[0].ids)])
    with torch.no_grad():
        before = module(input_ids=ids, use_cache=False).logits
        kernels = Kernels(attention=no_kernel, norm=no_kernel, product=no_kernel)
        step = FastStep(module, "cpu", 1 << 20, share=True, kernels=kernels)
        names = set(module.state_dict())
        with step.working():
            assert torch.equal(module(input_ids=ids, use_cache=False).logits, before)
            assert set(module.state_dict()) == names
        assert torch.equal(module(input_ids=ids, use_cache=False).logits, before)


def test_only_what_is_seen_to_be_a_gated_layer_is_replaced(model):
    module = model("gemma3")
    decoder = module.get_decoder()
    first, *others = (layer.mlp for layer in decoder.layers)
    first.forward = lambda x: x
    others[0].down_proj.register_forward_hook(lambda *_: None)
    with fast_glus(decoder, torch.mul):
        assert decoder.layers[0].mlp is first
        assert all(isinstance(layer.mlp, FastGlu) for layer in decoder.layers[1:])
        with fast_glus(decoder, torch.mul):
            assert not isinstance(decoder.layers[1].mlp._own[0], FastGlu)
    assert [layer.mlp for layer in decoder.layers] == [first, *others]


def test_as_it_stands_a_step_computes_what_it_always_did():
    assert Kernels() == Kernels(attention=by_calls, norm=rms_norm, product=None)
    assert FastNorm.__init__.__defaults__ == (rms_norm,)
