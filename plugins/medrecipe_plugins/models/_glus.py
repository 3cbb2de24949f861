"""Gated layers whose product is computed by a kernel: what stands between their linear layers, in one pass.

Like norms they have no name in transformers under which another could be registered, so they are put in
place of the model's, as PEFT puts its layers, and taken out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from medrecipe_plugins.models._observing import evaluating
from medrecipe_plugins.models._swapping import swapped

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From what gates and what is gated, (…, width) each, to activation(gate) · up."""

Activation = Callable[[torch.Tensor], torch.Tensor]

_KINDS = (("gate_proj", "up_proj"), ("gate_up_proj",))
"""Names that models of transformers have for the layers before the product."""
_ACTIVATIONS = ("act_fn", "activation_fn")


@contextmanager
def fast_glus(module: torch.nn.Module, product: Product | None) -> Iterator[None]:
    """Have the gated layers of a model computed by ``FastGlu`` inside, wherever gradients are.

    Only what is seen to be one is: what gives the same as its parts do on some numbers. None: leave them.
    """
    if product is None:
        yield
        return
    with swapped(module, partial(_fast, product=product)):
        yield


class FastGlu(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
    """down(product(gate(x), up(x))), with the linear layers of a model's own layer under their names.

    Without gradients it has that layer compute, so that evaluations are those of the model bit for bit.

    Args:
        mlp: what it stands for.
        before: names of the linear layers before the product: of gate and up, or of both in one.
        product: how that is computed; None: as the layer does.
    """

    def __init__(self, mlp: Any, before: tuple[str, ...], product: Product | None) -> None:
        super().__init__()
        for name, part in mlp.named_children():
            self.add_module(name, part)
        self._own = (mlp,)  # in a tuple, so that the model's parameters keep their names
        self._before = before
        self.activation: Activation = next(getattr(mlp, name) for name in _ACTIVATIONS if hasattr(mlp, name))
        self._product = product or self.plain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (…, width)."""
        found: torch.Tensor = self.computed(x) if torch.is_grad_enabled() else self._own[0](x)
        return found

    def computed(self, x: torch.Tensor) -> torch.Tensor:
        """Return what ``forward`` does, with gradients or without."""
        found: torch.Tensor = self.down_proj(multiplied(self._product, *self.parts(x)))
        return found

    def parts(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what goes into the product: gate and up, or both in one tensor."""
        return tuple(getattr(self, name)(x) for name in self._before)

    def plain(self, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Return the product as the layer itself computes it."""
        return self.activation(gate) * up


def multiplied(product: Product, *parts: torch.Tensor) -> torch.Tensor:
    """Return the product of gate and up, of which a tensor that is alone has one in each half."""
    gate, up = parts[0].chunk(2, dim=-1) if len(parts) == 1 else parts
    return product(gate, up)


def _fast(mlp: Any, product: Product | None) -> FastGlu | None:
    """Return what stands for a layer; None where it is no gated one, or one that somebody wraps."""
    names = {name for name, _ in mlp.named_children()}
    before = next((kind for kind in _KINDS if names.issuperset(kind)), None)
    if before is None or "down_proj" not in names or not any(hasattr(mlp, name) for name in _ACTIVATIONS):
        return None
    hooks = (mlp._forward_hooks, mlp._forward_pre_hooks)  # noqa: SLF001 - torch has no other name for them
    if isinstance(mlp, FastGlu) or any(hooks) or "forward" in vars(mlp):
        return None
    x = _numbers(getattr(mlp, before[0]))
    with evaluating(mlp):
        same = torch.equal(FastGlu(mlp, before, None).computed(x), mlp(x))
    return FastGlu(mlp, before, product) if same else None


def _numbers(layer: Any) -> torch.Tensor:
    """Return an input of a linear layer, (1, 2, width)."""
    weight = next(layer.parameters())
    dtype = weight.dtype if weight.dtype.is_floating_point else torch.bfloat16  # a quantised one takes any
    x = torch.linspace(-1.0, 3.0, 2 * layer.in_features, device=weight.device).sin()
    return x.view(1, 2, -1).to(dtype)
