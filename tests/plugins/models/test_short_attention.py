"""Attention over short sequences is torch's, in products of its own."""

from __future__ import annotations

import pytest
import torch

from medrecipe_plugins.models._packs import Call
from medrecipe_plugins.models._short_attention import short_attention


def tensors(heads: int, keys: int, shared: int, dtype) -> list[torch.Tensor]:
    torch.manual_seed(heads + keys + shared)
    shapes = [(3, heads, 11, 8), (3, keys, 11 + shared, 8), (3, keys, 11 + shared, 8)]
    return [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]


def call_of(shared: int) -> Call:
    queries = torch.arange(33).view(3, 11)
    return Call(queries, torch.arange(3 * (11 + shared)).view(3, -1), shared)


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("shared", [0, 7])
@pytest.mark.parametrize(("heads", "keys"), [(4, 4), (4, 2), (4, 1)])
def test_outputs_and_gradients_are_those_of_torch(heads, keys, shared, window, monkeypatch):
    monkeypatch.setattr("medrecipe_plugins.models._short_attention._SCORES", 200)  # several parts
    call = call_of(shared)
    parts = tensors(heads, keys, shared, torch.float32)
    mask = call._seen(window)
    expected = torch.nn.functional.scaled_dot_product_attention(
        *parts, attn_mask=mask, scale=0.3, enable_gqa=True
    )
    found = short_attention(*parts, call.bias(window), 0.3)
    assert torch.allclose(found, expected, atol=1e-6)
    slope = torch.randn_like(found)
    for own, other in zip(
        torch.autograd.grad(found, parts, slope), torch.autograd.grad(expected, parts, slope), strict=True
    ):
        assert torch.allclose(own, other, atol=2e-6)


def error(found, exact) -> float:
    return float((found.float() - exact).norm() / exact.norm())


def test_in_16_bits_it_is_as_exact_as_torchs_own():
    parts = tensors(4, 1, 0, torch.bfloat16)
    wide = [part.detach().float().requires_grad_() for part in parts]
    slope = torch.randn(3, 4, 11, 8)

    def own(*tensors):
        return short_attention(*tensors, call_of(0).bias(None), 0.3)

    def torchs(*tensors):
        return torch.nn.functional.scaled_dot_product_attention(
            *tensors, is_causal=True, scale=0.3, enable_gqa=True
        )

    exact = torch.autograd.grad(torchs(*wide), wide, slope)
    mine = torch.autograd.grad(own(*parts), parts, slope.bfloat16())
    theirs = torch.autograd.grad(torchs(*parts), parts, slope.bfloat16())
    for place in range(3):
        assert error(mine[place], exact[place]) <= 1.2 * error(theirs[place], exact[place])
