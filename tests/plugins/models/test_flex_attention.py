"""Flex attention sees what the calls see, token by token, and gives what they give."""

from __future__ import annotations

import random
from array import array

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.attention.flex_attention import create_block_mask, create_mask, flex_attention

from medrecipe_plugins.models._flex_attention import SHORTEST, FlexAttention, block_mask
from medrecipe_plugins.models._packed import PackedForward
from medrecipe_plugins.models._packed_attention import by_calls
from medrecipe_plugins.models._packs import Pack, packs_of
from medrecipe_plugins.models._sight import BLOCK, sight_of
from pipeline_dsl.api import Prepared

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")

SHAPES = {
    "gemma 3": (8, 4, 32, 40),
    "gemma 3, all": (8, 4, 32, None),
    "llama": (8, 2, 16, None),
    "phi 3": (6, 6, 24, 70),
}
"""Heads, key heads, width and window."""


def samples(lengths, *, shared: int = 0, seed: int = 1) -> list[Prepared]:
    """Samples of these lengths, of which every other one begins with the same tokens."""
    draw = random.Random(seed)
    common = [draw.randrange(5, 300) for _ in range(shared)]
    rows = [[draw.randrange(5, 300) for _ in range(length)] for length in lengths]
    rows = [common + row if n % 2 else row for n, row in enumerate(rows)]
    return [Prepared(str(n), array("i", row), 1) for n, row in enumerate(rows)]


def one_pack(items, *, share: bool = True) -> Pack:
    (pack,) = packs_of(items, 1 << 20, "cpu", share=share)
    return pack


def dense(pack: Pack, window: int | None) -> torch.Tensor:
    """The mask of the flex attention, (tokens, tokens)."""
    tokens = len(pack.attention.order)
    mask = block_mask(sight_of(pack.attention.stretches, window, "cpu"))
    return create_mask(mask.mask_mod, 1, 1, tokens, tokens, "cpu")[0, 0]


def of_calls(pack: Pack, window: int | None) -> torch.Tensor:
    """What the calls let each token see, (tokens, tokens)."""
    tokens = len(pack.attention.order)
    found = torch.zeros(tokens, tokens, dtype=torch.bool)
    for call in pack.attention.calls:
        seen = call.bias(window) == 0
        for queries, keys in zip(call.queries.tolist(), call.keys, strict=True):
            for query, row in reversed(
                list(zip(queries, seen, strict=True))
            ):  # a filler is the last token again
                found[query] = False
                found[query, keys[row]] = True
    return found


def drawn(pack: Pack, shape: str) -> tuple[tuple[torch.Tensor, ...], dict[str, object]]:
    heads, key_heads, width, window = SHAPES[shape]
    draw, tokens = torch.Generator().manual_seed(5), len(pack.attention.order)
    made = [torch.randn(1, n, tokens, width, generator=draw) for n in (heads, key_heads, key_heads)]
    return tuple(made), {"scale": 0.3, "window": window, "dropout": 0.0}


_ROWS = st.lists(st.lists(st.integers(5, 6), min_size=2, max_size=30), min_size=1, max_size=9)


@given(_ROWS, st.booleans(), st.none() | st.integers(1, 20))
@settings(deadline=None)
def test_the_mask_is_what_the_calls_let_each_token_see(rows, share, window):
    items = [Prepared(str(n), array("i", row), 1) for n, row in enumerate(rows)]
    for pack in packs_of(items, 60, "cpu", share=share):
        assert torch.equal(dense(pack, window), of_calls(pack, window))


_LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=7)


@given(_LENGTHS, st.sampled_from([0, 9, 150, 300]), st.none() | st.integers(1, 300))
@settings(deadline=None, max_examples=40)
def test_blocks_hold_all_that_is_seen_and_those_that_are_whole_nothing_else(lengths, shared, window):
    pack = one_pack(samples(lengths, shared=shared))
    tokens = len(pack.attention.order)
    sight = sight_of(pack.attention.stretches, window, "cpu")
    some, whole = sight.blocks()
    exact = create_block_mask(block_mask(sight).mask_mod, 1, 1, tokens, tokens, "cpu", BLOCK_SIZE=BLOCK)
    truly = exact.to_dense()[0, 0].bool()
    assert not (some & whole).any()
    assert ((some | whole) | ~truly).all(), "nothing that is seen is left out"
    own = block_mask(sight)
    assert torch.equal(own.to_dense()[0, 0].bool(), some | whole)
    if window is None:
        assert torch.equal(some | whole, truly), "and nothing is computed in vain"
        assert torch.equal(own.full_kv_num_blocks, exact.full_kv_num_blocks)
    pad = -tokens % BLOCK
    seen = torch.nn.functional.pad(dense(pack, window), (0, pad, 0, pad))
    blocks = seen.unflatten(0, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).movedim(2, 1)
    assert blocks[whole].all()


@pytest.mark.parametrize("shared", [0, 150], ids=["apart", "shared"])
@pytest.mark.parametrize("shape", SHAPES)
def test_its_output_is_that_of_the_calls(shape, shared):
    pack = one_pack(samples((190, 33, 7, 120, 60, 61), shared=shared))
    numbers, named = drawn(pack, shape)
    assert len(pack.attention.order) >= SHORTEST
    found = FlexAttention(flex_attention)(*numbers, pack.attention, **named)
    assert torch.allclose(found, by_calls(*numbers, pack.attention, **named), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shared", [0, 60], ids=["apart", "shared"])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_through_its_mask_are_those_of_the_calls(shape, shared):
    pack = one_pack(samples((90, 33, 7, 80, 60, 61), shared=shared))
    numbers, named = drawn(pack, shape)
    numbers = [x.requires_grad_() for x in numbers]
    output = torch.nn.functional.scaled_dot_product_attention(
        *numbers, attn_mask=dense(pack, named["window"]), scale=named["scale"], enable_gqa=True
    ).transpose(1, 2)
    slope = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    expected = torch.autograd.grad(by_calls(*numbers, pack.attention, **named), numbers, slope)
    for one, other in zip(torch.autograd.grad(output, numbers, slope), expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["gemma3", "llama", "phi3"])
def test_a_models_losses_are_those_that_it_has_by_calls(tiny_folder_of, load_tiny, architecture):
    module = load_tiny(tiny_folder_of(architecture)).module.eval()
    config = module.config.get_text_config()
    if "sliding_attention" in (getattr(config, "layer_types", None) or ()):
        for layer in module.get_decoder().layers:
            if getattr(layer.self_attn, "sliding_window", None) is not None:
                layer.self_attn.sliding_window = 50
    seen = []

    def watched(*numbers, **named):
        seen.append(named["block_mask"])
        return flex_attention(*numbers, **named)

    pack = one_pack(samples((100, 33, 7, 20, 60, 61), shared=60))
    with torch.no_grad():
        losses = []
        for attention in (by_calls, FlexAttention(watched)):
            forward = PackedForward(module, "cpu", attention)
            with forward.working():
                losses.append(forward.losses(pack))
    assert torch.allclose(*losses, rtol=1e-5, atol=1e-5)
    assert len(seen) == len(module.get_decoder().layers)
    assert len({id(mask) for mask in seen}) == len(pack.attention.masks) <= 2


def test_it_is_compiled_once_for_packs_of_any_length_and_window():
    counter = CompileCounterWithBackend("aot_eager")
    attention = FlexAttention(torch.compile(flex_attention, dynamic=True, fullgraph=True, backend=counter))
    counts = []
    for lengths in ((200, 56), (130, 300, 90), (900,), (129, 128), (11, 600, 40, 3)):
        for shape in ("gemma 3", "gemma 3, all"):
            pack = one_pack(samples(lengths, shared=20))
            numbers, named = drawn(pack, shape)
            with torch.no_grad():
                found = attention(*numbers, pack.attention, **named)
            assert torch.allclose(found, by_calls(*numbers, pack.attention, **named), rtol=1e-5, atol=1e-5)
            counts.append(counter.frame_count)
    assert len(set(counts)) == 1


def test_short_packs_and_dropout_go_by_calls():
    def refused(*_, **__):
        raise AssertionError

    pack = one_pack(samples((SHORTEST - 1,)))
    numbers, named = drawn(pack, "llama")
    attention = FlexAttention(refused)
    expected = by_calls(*numbers, pack.attention, **named)
    assert torch.equal(attention(*numbers, pack.attention, **named), expected)
    pack = one_pack(samples((SHORTEST,)))
    numbers, named = drawn(pack, "llama")
    assert attention(*numbers, pack.attention, **named | {"dropout": 0.5}).shape == (1, SHORTEST, 8, 16)


@pytest.mark.parametrize("asking", [(True, False, False), (False, True, True), (True, True, True)])
def test_what_is_compiled_asks_for_all_gradients_or_for_none(asking):
    pack = one_pack(samples((200, 90), shared=20))
    numbers, named = drawn(pack, "llama")
    seen = []

    def watched(query, key, value, **_):
        seen.append({x.requires_grad for x in (query, key, value)})
        return query * key.repeat_interleave(4, 1) * value.repeat_interleave(4, 1)

    attention = FlexAttention(watched)
    given = [x.requires_grad_(asks) for x, asks in zip(numbers, asking, strict=True)]
    attention(*given, pack.attention, **named).sum().backward()
    assert [x.grad is not None for x in given] == list(asking)
    with torch.no_grad():
        attention(*given, pack.attention, **named)
    attention(*(x.detach() for x in given), pack.attention, **named)
    assert seen[0] == {True}
    assert seen[2] == {False}
