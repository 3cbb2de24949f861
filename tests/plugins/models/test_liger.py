"""`liger-kernel` computes what it stands for: on a GPU, or without one in Triton's interpreter.

The latter is asked for by TRITON_INTERPRET=1, where `liger-kernel` and `triton` are installed.
"""

from __future__ import annotations

import itertools
import os
from functools import partial

import pytest
import torch
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from medrecipe_plugins.models import _liger
from medrecipe_plugins.models._glus import multiplied
from medrecipe_plugins.models._norms import FastNorm, fast_norms, rms_norm
from medrecipe_plugins.models._proof import Case, Verdict, judge

if _liger.installed():
    import triton
    from triton import language

    @triton.jit
    def rsqrt(x):
        return 1 / language.sqrt(x)

    @triton.jit
    def tanh(x):
        return 2 * language.sigmoid(2 * x) - 1


WIDTH = 48
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
GELU = partial(torch.nn.functional.gelu, approximate="tanh")
needs_liger = pytest.mark.skipif(not _liger.installed(), reason="liger-kernel is not installed")


@pytest.fixture
def device(monkeypatch) -> str:
    """Where its kernels run; the interpreter lacks the functions of CUDA's library, which get others here."""
    if torch.cuda.is_available():
        return "cuda:0"
    if os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("there is no GPU, and TRITON_INTERPRET=1 is not set")
    from liger_kernel.ops import geglu, rms_norm

    monkeypatch.setattr(rms_norm, "rsqrt", rsqrt)
    monkeypatch.setattr(geglu, "tanh", tanh)
    return "cpu"


def numbers(*shape: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(device, dtype)


def agreed(case: Case) -> Verdict:
    """Judge a case by a clock that finds it faster; skip where this version is not for the interpreter."""
    turns = itertools.cycle([2.0, 1.0])
    found = judge(lambda: [case], lambda *_: next(turns))
    if "InterpreterError" in found.reason:
        pytest.skip(f"this liger-kernel: {found.reason}")
    return found


@needs_liger
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [Gemma3RMSNorm, LlamaRMSNorm])
def test_its_norm_is_that_of_the_model(kind, dtype, device):
    norm = kind(WIDTH)
    with torch.no_grad():
        norm.weight.add_(numbers(WIDTH, dtype=torch.float32, device="cpu") * 0.3)
    module = torch.nn.Sequential(norm.to(device, dtype)).requires_grad_(requires_grad=False)
    with fast_norms(module, _liger.norm()):
        fast = module[0]
    assert isinstance(fast, FastNorm)
    x = numbers(2, 7, WIDTH, dtype=dtype, device=device)
    case = Case(own=fast.by(rms_norm), other=fast.by(_liger.norm()), inputs=(x,))
    assert agreed(case) == Verdict(good=True, reason="it computes the same, 2 times as fast")


@needs_liger
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("apart", [True, False], ids=["gate and up", "both in one"])
@pytest.mark.parametrize("activation", [torch.nn.functional.silu, GELU], ids=["silu", "gelu"])
def test_its_products_are_those_of_the_model(activation, apart, dtype, device):
    if device == "cpu" and dtype == torch.bfloat16:
        pytest.skip("Triton's interpreter does not multiply in bfloat16")
    both = numbers(2, 7, 2 * WIDTH, dtype=dtype, device=device)
    case = Case(
        own=partial(multiplied, lambda gate, up: activation(gate) * up),
        other=partial(multiplied, _liger.product(activation)),
        inputs=both.chunk(2, dim=-1) if apart else (both,),
    )
    assert agreed(case) == Verdict(good=True, reason="it computes the same, 2 times as fast")


@needs_liger
def test_it_has_no_product_for_other_activations():
    assert _liger.product(torch.nn.functional.relu) is None
    assert _liger.product(torch.nn.functional.gelu) is None


@pytest.mark.skipif(_liger.installed(), reason="liger-kernel is installed")
def test_where_it_is_not_installed_it_cannot_be_made():
    for make in (_liger.norm, partial(_liger.product, GELU)):
        with pytest.raises(ImportError):
            make()
