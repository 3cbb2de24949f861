"""RMS norms in a third of the time: fewer passes over memory, and the input alone is kept for going back.

transformers writes them as a chain of products, each of which makes a tensor and keeps it, and has no name
under which another could be registered, as it has for attention. So frozen norms are put in place of the
model's, as PEFT puts its layers, and taken out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from medrecipe_plugins.models._swapping import swapped

RmsNorm = Callable[[torch.Tensor, torch.Tensor, float, torch.dtype], torch.Tensor]
"""From x, s, ε and the number format of the result to x / sqrt(mean(x²) + ε) · s; see ``rms_norm``."""

_EPSILONS = ("eps", "variance_epsilon")
"""Names that norms of transformers have for what is added to the mean square."""
_PROVEN_TO = 1e-5
"""Difference to a norm, relative and absolute, that the order of sums may make in 32 bits."""


def rms_norm(x: torch.Tensor, scale: torch.Tensor, epsilon: float, dtype: torch.dtype) -> torch.Tensor:
    """Return x / sqrt(mean(x²) + ε) · s over the last dimension, in 32 bits or more, rounded once.

    Args:
        x: (…, width).
        scale: s, (width,) in float32, which is not trained.
        epsilon: ε.
        dtype: of the result.
    """
    found: torch.Tensor = _Norm.apply(x, scale, epsilon, dtype)
    return found


@contextmanager
def fast_norms(module: torch.nn.Module, compute: RmsNorm = rms_norm) -> Iterator[None]:
    """Have the frozen RMS norms of a model computed by ``FastNorm`` inside, wherever gradients are.

    Only what is seen to be an RMS norm is: what gives the same on numbers that would tell it from others.
    """
    with swapped(module, partial(_fast, compute=compute)):
        yield


class FastNorm(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
    """An RMS norm whose s is a frozen weight.

    Without gradients it has the norm itself compute, so that evaluations are those of the model bit for bit.

    Args:
        norm: what it stands for; its parameter ``weight`` is (width,).
        epsilon: ε.
        offset: what is added to the weight to give s: 1 for Gemma, else 0.
        compute: how it is computed.
    """

    def __init__(
        self, norm: torch.nn.Module, epsilon: float, offset: float, compute: RmsNorm = rms_norm
    ) -> None:
        super().__init__()
        self.weight = norm.weight
        self._own = (norm,)  # in a tuple, so that the model's parameters keep their names
        self._scale = norm.weight.detach().float() + offset
        self._epsilon = epsilon
        self._promotes = not offset
        self._compute = compute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (…, width) in the number format that the norm itself gives."""
        found: torch.Tensor = self.by(self._compute)(x) if torch.is_grad_enabled() else self._own[0](x)
        return found

    def by(self, compute: RmsNorm) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the norm as a way to compute has it, with gradients or without."""

        def computed(x: torch.Tensor) -> torch.Tensor:
            dtype = torch.promote_types(x.dtype, self.weight.dtype) if self._promotes else x.dtype
            return compute(x, self._scale, self._epsilon, dtype)

        return computed


class _Norm(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed
    """With r = 1 / sqrt(mean(x²) + ε), y = x r s and dx = r (g s - x r² mean(g s x))."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, epsilon: float, dtype: torch.dtype
    ) -> torch.Tensor:
        """Return y."""
        wide = torch.promote_types(x.dtype, torch.float32)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
        rate = norm.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, rate, scale)
        return (x.to(wide) * rate).mul_(scale).to(dtype)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Return the gradient of x."""
        x, rate, scale = ctx.saved_tensors
        wide = x.to(rate.dtype)
        scaled = slope.to(rate.dtype) * scale
        along = (scaled * wide).sum(-1, keepdim=True).mul_(rate.pow(3)).div_(x.shape[-1])
        return scaled.mul_(rate).addcmul_(wide, along, value=-1).to(x.dtype), None, None, None


def _fast(norm: torch.nn.Module, compute: RmsNorm) -> FastNorm | None:
    """Return what stands for a norm; None where it is none, or one that is trained or that somebody wraps."""
    weight = dict(norm.named_parameters(recurse=False)).get("weight")
    epsilon = next((getattr(norm, name) for name in _EPSILONS if hasattr(norm, name)), None)
    if weight is None or weight.ndim != 1 or weight.requires_grad or not isinstance(epsilon, float):
        return None
    if isinstance(norm, FastNorm) or len(norm.state_dict()) > 1 or "forward" in vars(norm):
        return None
    x = torch.linspace(-1.0, 3.0, 2 * len(weight), device=weight.device).square().view(2, -1)
    with torch.no_grad():
        theirs = norm(x).float()
        for offset in (0.0, 1.0):
            fast = FastNorm(norm, epsilon, offset, compute)
            if torch.allclose(fast.by(rms_norm)(x).float(), theirs, rtol=_PROVEN_TO, atol=_PROVEN_TO):
                return fast
    return None
