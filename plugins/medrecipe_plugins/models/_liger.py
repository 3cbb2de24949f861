"""What `liger-kernel`, an extra that is for GPUs, offers in place of a model's own parts."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch.nn import functional

from medrecipe_plugins.models._glus import Activation, Product
from medrecipe_plugins.models._norms import RmsNorm


def installed() -> bool:
    """Return whether it is there; whether it works is for a trial to say."""
    return find_spec("liger_kernel") is not None


def norm() -> RmsNorm:
    """Return its RMS norm, in 32 bits and rounded once."""
    from liger_kernel.ops.rms_norm import LigerRMSNormFunction

    def rms_norm(x: torch.Tensor, scale: torch.Tensor, epsilon: float, dtype: torch.dtype) -> torch.Tensor:
        in_place, offset = False, 0.0
        found: torch.Tensor = LigerRMSNormFunction.apply(x, scale, epsilon, offset, "gemma", in_place)
        return found.to(dtype)

    return rms_norm


def product(activation: Activation) -> Product | None:
    """Return its product of gated layers with an activation; None where it has none with that.

    It has those with SiLU (Llama, Phi-3) and with the GELU by tanh (Gemma).
    """
    from liger_kernel.ops.geglu import LigerGELUMulFunction
    from liger_kernel.ops.swiglu import LigerSiLUMulFunction

    offered: tuple[tuple[Any, Activation], ...] = (
        (LigerSiLUMulFunction, functional.silu),
        (LigerGELUMulFunction, partial(functional.gelu, approximate="tanh")),
    )
    x = torch.linspace(-6.0, 6.0, 97)
    for kernel, same in offered:
        if torch.allclose(same(x), activation(x), rtol=0, atol=1e-6):
            found: Product = kernel.apply
            return found
    return None
