"""A LoRA layer of PEFT with a training step of its own: fewer passes over memory, no gradient too many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear

Pair = tuple[torch.Tensor, torch.Tensor]
_STEPS = 1 << 15
"""Probabilities of dropout are multiples of one part of so many."""
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers as wide as numbers of so many bytes."""


def use_fast_layers(config: LoraConfig) -> None:
    """Have PEFT put ``FastLinear`` on plain linear layers: its own way to bring a layer along.

    Not for quantised bases, whose layers are linear layers of another kind.
    """
    config._register_custom_module({torch.nn.Linear: FastLinear})  # noqa: SLF001 - PEFT documents it so


class _Parts(NamedTuple):
    """What a step takes beside its input."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    lora_a: torch.Tensor
    lora_b: torch.Tensor
    scale: float
    dropout: float
    frozen: Pair | None


@contextmanager
def quick(module: torch.nn.Module) -> Iterator[None]:
    """Have the fast layers of a model use their own training step inside."""
    layers = [part for part in module.modules() if isinstance(part, FastLinear)]
    for layer in layers:
        layer.begin()
    try:
        yield
    finally:
        for layer in layers:
            layer.end()


class FastLinear(Linear):  # type: ignore[misc]  # PEFT is not followed
    """PEFT's layer, which it is in every respect but how it computes inside of ``quick``.

    There, in training mode: products are taken in the number format of the base, dropout is drawn from few
    random bits, frozen adapters are one product of concatenated ranks and see no dropout, and the backward
    pass makes the gradients of the trained factors and of the input, nothing else.
    """

    _parts: _Parts | None = None
    """None outside of ``quick`` and where PEFT's own forward is to be."""

    def begin(self) -> None:
        """See which adapters are trained; where that is not exactly one plain adapter, stay as PEFT is."""
        active = [name for name in self.active_adapters if name in self.lora_A]
        trained = [name for name in active if self.lora_A[name].weight.requires_grad]
        plain = not any(name in self.lora_variant or self.lora_bias.get(name) for name in active)
        base = self.base_layer
        if len(trained) != 1 or not plain or type(base) is not torch.nn.Linear or base.weight.requires_grad:
            return
        (name,) = trained
        self._parts = _Parts(
            weight=base.weight,
            bias=base.bias,
            lora_a=self.lora_A[name].weight,
            lora_b=self.lora_B[name].weight,
            scale=float(self.scaling[name]),
            dropout=float(getattr(self.lora_dropout[name], "p", 0.0)),
            frozen=self._concatenated([other for other in active if other != name]),
        )

    def end(self) -> None:
        """Be PEFT's layer again."""
        self._parts = None

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the layer's output, (…, outputs)."""
        parts = self._parts
        if (
            parts is None
            or not (self.training and torch.is_grad_enabled())
            or self.disable_adapters
            or self.merged
        ):
            result: torch.Tensor = super().forward(x, *args, **kwargs)
            return result
        flat = _Step.apply(x.reshape(-1, x.shape[-1]), *parts)
        return flat.unflatten(0, x.shape[:-1])

    def _concatenated(self, names: list[str]) -> Pair | None:
        """Return A and B of frozen adapters, one below and one beside the other, scales folded in."""
        if not names:
            return None
        dtype = self.base_layer.weight.dtype
        down = torch.cat([self.lora_A[n].weight.detach() for n in names])
        up = torch.cat([self.lora_B[n].weight.detach() * self.scaling[n] for n in names], dim=1)
        return down.to(dtype), up.to(dtype)


class _Step(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed
    """y = x W' + b + f(x) + s · dropout(x) A' B', with f the frozen adapters."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd functions take their arguments by place
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        lora_a: torch.Tensor,
        lora_b: torch.Tensor,
        scale: float,
        dropout: float,
        frozen: Pair | None,
    ) -> torch.Tensor:
        """Return y, (tokens, outputs)."""
        a, b = lora_a.to(x.dtype), lora_b.to(x.dtype)
        mask = kept_mask(x, dropout) if dropout else None
        factor = scale / kept_share(dropout)
        inner = (x if mask is None else kept(x, mask)) @ a.T
        y = torch.nn.functional.linear(x, weight, bias)
        if frozen is not None:
            y.addmm_(x @ frozen[0].T, frozen[1].T)
        y.addmm_(inner, b.T, alpha=factor)
        ctx.save_for_backward(x, weight, a, b, inner, mask, *(frozen or ()))
        ctx.factor = factor
        return y

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of x, A and B."""
        x, weight, a, b, inner, mask, *frozen = ctx.saved_tensors
        of_inner = (slope @ b).mul_(ctx.factor)
        of_b = (slope.T @ inner).float().mul_(ctx.factor)
        of_a = (of_inner.T @ (x if mask is None else kept(x, mask))).float()
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = slope @ weight
            if frozen:
                of_x.addmm_(slope @ frozen[1], frozen[0])
            if mask is None:
                of_x.addmm_(of_inner, a)
            else:
                of_x.add_(kept(of_inner @ a, mask))
        return of_x, None, None, of_a, of_b, None, None, None


def kept_share(dropout: float) -> float:
    """Return the probability with which ``kept_mask`` keeps a number."""
    return 1 - round(dropout * _STEPS) / _STEPS


def kept_mask(x: torch.Tensor, dropout: float) -> torch.Tensor:
    """Return which numbers dropout keeps: -1 for those, all of its bits, 0 for the rest.

    15 random bits each, from torch's generator of the device. Whether they are below a bound is the sign of a
    difference that fits into 16 bits.
    """
    count = x.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    drawn = bits.view(torch.int16)[:count].bitwise_and_(_STEPS - 1)
    below = drawn.neg_().add_(round(dropout * _STEPS) - 1).bitwise_right_shift_(15)
    return below.to(torch.int8).view(x.shape)


def kept(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return what a mask leaves of numbers, zero elsewhere; bitwise: torch multiplies by booleans slowly."""
    bits = _BITS[x.element_size()]
    return (x.view(bits) & mask.to(bits)).view(x.dtype)
