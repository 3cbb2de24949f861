"""RMS norms of their own compute what the model's compute, and only what is one is replaced."""

from __future__ import annotations

import pytest
import torch
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from medrecipe_plugins.models._norms import FastNorm, fast_norms

WIDTH = 48
KINDS = [Gemma3RMSNorm, LlamaRMSNorm]


class Halved(torch.nn.Module):
    """Has all that a norm has, and is none."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.eps = torch.nn.Parameter(torch.ones(WIDTH)), 1e-6

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight / 2


def frozen(norm: torch.nn.Module, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        norm.weight.add_(torch.randn(WIDTH, generator=draw) * 0.3)
    return torch.nn.Sequential(norm.to(dtype).requires_grad_(requires_grad=False))


def result_and_gradient(module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    y = module(x)
    y.backward(torch.linspace(-2, 2, y.numel(), dtype=y.dtype).view_as(y))
    return y.detach(), x.grad


def numbers(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, 7, WIDTH, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_the_models_own(kind):
    module = frozen(kind(WIDTH))
    expected = result_and_gradient(module, numbers())
    with fast_norms(module):
        assert isinstance(module[0], FastNorm)
        found = result_and_gradient(module, numbers())
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_in_16_bits_they_are_as_near_to_the_truth_as_rounding_lets_them(kind):
    module = frozen(kind(WIDTH), torch.bfloat16)
    truth = result_and_gradient(frozen(kind(WIDTH)), numbers(torch.bfloat16).float())
    stock = result_and_gradient(module, numbers(torch.bfloat16))
    with fast_norms(module):
        found = result_and_gradient(module, numbers(torch.bfloat16))
    for one, own, right in zip(found, stock, truth, strict=True):
        assert one.dtype == own.dtype == torch.bfloat16
        assert (one - right).abs().mean() <= 1.05 * (own - right).abs().mean()


def test_a_model_keeps_its_names_inside_and_its_norms_after():
    module = frozen(Gemma3RMSNorm(WIDTH))
    norm, names = module[0], set(module.state_dict())
    with fast_norms(module), fast_norms(module):
        assert set(module.state_dict()) == names
    assert module[0] is norm


@pytest.mark.parametrize("kind", KINDS)
def test_without_gradients_the_norm_itself_computes(kind):
    module = frozen(kind(WIDTH))
    with torch.no_grad():
        expected = module(numbers())
        with fast_norms(module):
            assert torch.equal(module(numbers()), expected)


@pytest.mark.parametrize(
    "other",
    [
        Halved().requires_grad_(requires_grad=False),
        torch.nn.LayerNorm(WIDTH).requires_grad_(requires_grad=False),
        LlamaRMSNorm(WIDTH),
    ],
    ids=["another function", "layer norm", "trained"],
)
def test_what_is_no_frozen_rms_norm_stays(other):
    module = torch.nn.Sequential(other)
    with fast_norms(module):
        assert module[0] is other


@pytest.mark.parametrize(
    ("architecture", "per_layer"),
    [("gemma3", 6), ("gemma3_multimodal", 6), ("llama", 2), ("phi3", 2), ("phi", 0)],
)
def test_all_norms_of_the_known_architectures_are_found(tiny_folder_of, load_tiny, architecture, per_layer):
    model = load_tiny(tiny_folder_of(architecture))
    model.module.requires_grad_(requires_grad=False)
    decoder = model.module.get_decoder()
    with fast_norms(decoder):
        fast = sum(isinstance(part, FastNorm) for part in decoder.modules())
    assert fast == (per_layer * len(decoder.layers) + 1 if per_layer else 0)
