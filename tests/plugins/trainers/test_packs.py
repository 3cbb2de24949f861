"""Packs compute what padded batches compute: the same loss, the same gradients, less work."""

from __future__ import annotations

import random
from array import array

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.models._packed import PackedForward
from medrecipe_plugins.models._packs import packs_of
from medrecipe_plugins.models._prefixes import groups_of
from medrecipe_plugins.trainers._batches import IGNORED, collate
from medrecipe_plugins.trainers._fast_step import FastStep, why_not
from medrecipe_plugins.trainers._label_loss import LabelLoss
from pipeline_dsl.api import Prepared, StackLayer

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"]


def sample(ids, start, name="x") -> Prepared:
    return Prepared(name, array("i", ids), start)


def samples(*, shared: int = 0, everything: bool = False, seed: int = 1) -> list[Prepared]:
    """Seven samples of different lengths, of which four begin alike."""
    draw = random.Random(seed)
    common = [2, *(draw.randrange(5, 300) for _ in range(shared))]
    made = []
    for n, length in enumerate((9, 31, 12, 12, 40, 25, 5)):
        ids = [draw.randrange(5, 300) for _ in range(length)]
        ids = [*(common if n < 4 and shared else [2]), *ids, 1]
        made.append(sample(ids, 1 if everything else len(ids) - 1 - n % 3, str(n)))
    return made


def with_adapters(load_tiny, folder):
    model = load_tiny(folder)
    own = Lora(options=LoraOptions(r=4, dropout=0.0, target_modules="all-linear"))
    own.attach(model, [StackLayer(name="a", role="train", adapter=own, folder=None)])
    with torch.no_grad():
        for n, parameter in enumerate(p for p in model.module.parameters() if p.requires_grad):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(n)) * 0.05)
    return model.module.train()


def gradients(module) -> dict[str, torch.Tensor]:
    found = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    module.zero_grad(set_to_none=True)
    return found


def plain(module, items) -> tuple[float, dict[str, torch.Tensor]]:
    batch = collate(items)
    labels = batch.pop("labels").flatten()
    logits = module(**batch, use_cache=False).logits.flatten(0, 1).float()
    loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    loss.backward()
    return float(loss.detach()), gradients(module)


def packed(module, items, budget: int, *, share: bool) -> tuple[float, dict[str, torch.Tensor], int]:
    step, total, tokens = FastStep(module, "cpu", budget, share=share), 0.0, 0
    with step.working():
        for pack in step.packs(items):
            loss = step.loss(pack)
            loss.backward()
            total += float(loss.detach())
            tokens += pack.ids.numel()
    return total, gradients(module), tokens


def difference(one, other) -> float:
    """Relative to the whole gradient."""
    assert one.keys() == other.keys()
    gap = sum(float((one[n] - other[n]).double().square().sum()) for n in one)
    return (gap / sum(float(g.double().square().sum()) for g in other.values())) ** 0.5


@pytest.mark.parametrize("everything", [False, True], ids=["completions", "all tokens"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_are_those_of_padded_batches(tiny_folder_of, load_tiny, architecture, everything):
    module = with_adapters(load_tiny, tiny_folder_of(architecture))
    items = samples(everything=everything)
    loss, expected = plain(module, items)
    for budget in (1000, 60, 1):
        found, own, tokens = packed(module, items, budget, share=False)
        assert found == pytest.approx(loss, rel=1e-5)
        assert difference(own, expected) <= 1e-5
        assert tokens == sum(len(s.ids) for s in items)


@pytest.mark.parametrize("everything", [False, True], ids=["completions", "all tokens"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_shared_beginning_is_computed_once_with_exact_gradients(
    tiny_folder_of, load_tiny, architecture, everything
):
    module = with_adapters(load_tiny, tiny_folder_of(architecture))
    items = samples(shared=30, everything=everything)
    loss, expected, whole = packed(module, items, 1000, share=False)
    for budget, saved in ((1000, 3 * 31), (100, 31)):
        found, own, tokens = packed(module, items, budget, share=True)
        assert found == pytest.approx(loss, rel=1e-5)
        assert difference(own, expected) <= 5e-6
        assert tokens <= whole - saved


def test_a_sliding_window_is_seen_through_a_shared_beginning(tiny_folder_of, load_tiny):
    module = with_adapters(load_tiny, tiny_folder_of("gemma3"))
    config = module.get_base_model().config
    assert "sliding_attention" in config.layer_types
    for layer in module.get_base_model().model.layers:
        if layer.self_attn.sliding_window is not None:
            layer.self_attn.sliding_window = 7
    config.sliding_window = 7
    items = samples(shared=30)
    loss, expected = plain(module, items)
    for share in (False, True):
        found, own, _ = packed(module, items, 1000, share=share)
        assert found == pytest.approx(loss, rel=1e-5)
        assert difference(own, expected) <= 1e-5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_layer_computes_labels_alone(tiny_folder_of, load_tiny, architecture):
    module = with_adapters(load_tiny, tiny_folder_of(architecture))
    mlps = [layer.mlp for layer in module.get_base_model().get_decoder().layers]
    seen = []
    for mlp in mlps:
        next(mlp.children()).register_forward_pre_hook(
            lambda _, arguments: seen.append(arguments[0].shape[-2])
        )
    items = samples()
    _, _, tokens = packed(module, items, 1000, share=False)
    assert seen == [tokens] * (len(mlps) - 1) + [sum(s.label_tokens for s in items)]


def test_a_layer_that_is_computed_again_leaves_out_the_same(tiny_folder_of, load_tiny):
    module = with_adapters(load_tiny, tiny_folder_of("gemma3"))
    loss, expected, _ = packed(module, samples(shared=20), 1000, share=True)
    base = module.get_base_model()
    enable = getattr(base, "activation_checkpointing_enable", None) or base.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    found, own, _ = packed(module, samples(shared=20), 1000, share=True)
    assert found == pytest.approx(loss, rel=1e-6)
    assert difference(own, expected) <= 1e-6


def test_a_model_that_is_set_to_packs_evaluates_as_it_did_before(tiny_folder_of, load_tiny):
    module = with_adapters(load_tiny, tiny_folder_of("gemma3")).eval()
    batch = collate(samples())
    batch.pop("labels")
    with torch.no_grad():
        before = module(**batch, use_cache=False).logits
        with FastStep(module, "cpu", 100, share=True).working():
            inside = module(**batch, use_cache=False).logits
        after = module(**batch, use_cache=False).logits
    assert torch.equal(before, inside)
    assert torch.equal(before, after)
    assert module.get_base_model().config._attn_implementation == "sdpa"


def test_a_model_that_packs_do_not_know_enough_of_disagrees_before_anything_is_trained(
    tiny_folder_of, load_tiny
):
    module = with_adapters(load_tiny, tiny_folder_of("llama"))
    assert FastStep(module, "cpu", 100, share=True).disagreement(samples(shared=20)) is None
    base = module.get_base_model()
    own = base.forward

    class Scaled(type(base)):
        def forward(self, *arguments, **named):
            out = own(*arguments, **named)
            out.logits = out.logits * 3
            return out

    base.__class__ = Scaled
    assert "instead of" in FastStep(module, "cpu", 100, share=True).disagreement(samples())


def test_losses_of_tokens_that_differ_are_seen_where_their_sum_is_the_same(tiny_folder_of, load_tiny):
    class Crooked(PackedForward):
        def losses(self, pack):
            found = super().losses(pack)
            found[0] += 0.1
            found[1] -= 0.1
            return found

    module = with_adapters(load_tiny, tiny_folder_of("llama")).eval()
    with torch.no_grad():
        assert PackedForward(module, "cpu").disagreement(samples()) is None
        assert Crooked(module, "cpu").disagreement(samples()).startswith("a token's loss of ")


@pytest.mark.parametrize("softcap", [None, 3.0])
@pytest.mark.parametrize("bias", [False, True])
def test_the_loss_of_labels_and_its_gradient_are_those_of_autograd(softcap, bias, monkeypatch):
    monkeypatch.setattr("medrecipe_plugins.trainers._label_loss._LOGITS", 200)  # several chunks
    torch.manual_seed(3)
    hidden = torch.randn(11, 16, dtype=torch.float64, requires_grad=True)
    weight, labels = torch.randn(50, 16, dtype=torch.float64), torch.randint(50, (11,))
    shift = torch.randn(50, dtype=torch.float64) if bias else None
    logits = torch.nn.functional.linear(hidden, weight, shift)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    (slope,) = torch.autograd.grad(expected * 0.5, hidden)
    found = LabelLoss.apply(hidden, weight, shift, labels, softcap)
    (own,) = torch.autograd.grad(found * 0.5, hidden)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert (own - slope).abs().max() <= 1e-6


_ROWS = st.lists(st.lists(st.integers(5, 7), min_size=2, max_size=24), min_size=1, max_size=9)


@given(_ROWS, st.integers(1, 60), st.booleans())
@settings(deadline=None)
def test_every_token_sees_what_it_saw_in_its_sample_and_nothing_else(rows, budget, share):
    items = [sample(ids, 1, str(n)) for n, ids in enumerate(rows)]
    labels = []
    for pack in packs_of(items, budget, "cpu", share=share):
        ids, positions = pack.ids[0].tolist(), pack.positions[0].tolist()
        outputs = []
        for call in pack.attention.calls:
            mask = call.mask(None)
            for queries, keys in zip(call.queries.tolist(), call.keys.tolist(), strict=True):
                for row, place in enumerate(queries):
                    seen = [
                        k
                        for col, k in enumerate(keys)
                        if (mask[row, col] if mask is not None else col <= row)
                    ]
                    outputs.append((place, [ids[k] for k in seen], [positions[k] for k in seen]))
        for place, at in enumerate(pack.attention.order.tolist()):
            queried, tokens, where = outputs[at]
            assert queried == place
            assert where == list(range(len(where))), "each position once, from the first to its own"
            assert tokens[-1] == ids[place]
            assert any(list(row[: len(tokens)]) == tokens for row in rows)
        contexts = [tuple(outputs[pack.attention.order[p]][1]) for p in pack.places.tolist()]
        labels += [(context, label) for context, label in zip(contexts, pack.labels.tolist(), strict=True)]
        assert len(pack.samples) == 1 or pack.ids.numel() <= budget
    expected = [(tuple(ids[:at]), ids[at]) for ids in rows for at in range(1, len(ids))]
    assert sorted(labels) == sorted(expected), "every label once, after all that stands before it"


@given(_ROWS)
def test_groups_share_what_they_say_and_leave_nobody_out(rows):
    groups = groups_of(rows, share=True)
    assert sorted(place for group in groups for place in group.members) == list(range(len(rows)))
    for group in groups:
        heads = {tuple(rows[place][: group.shared]) for place in group.members}
        assert len(heads) == 1
        assert all(len(rows[place]) > group.shared for place in group.members)
        assert (group.shared > 0) <= (len(group.members) > 1)


def test_two_templates_in_one_step_share_each_its_own_beginning():
    one, two = list(range(10, 40)), list(range(60, 80))
    rows = [[*one, 1], [*two, 2], [*one, 3, 3], [*two, 4], [*one, 5]]
    groups = {group.members: group.shared for group in groups_of(rows, share=True)}
    assert groups == {(0, 2, 4): 30, (1, 3): 20}


def test_what_is_known_against_packs_is_said(tiny_folder_of, load_tiny):
    module = with_adapters(load_tiny, tiny_folder_of("phi3"))
    assert why_not(module, 100) is None
    config = module.get_base_model().config
    config.rope_parameters = {**config.rope_parameters, "rope_type": "longrope"}
    config.original_max_position_embeddings = 64
    assert "position embeddings" in why_not(module, 100)
    assert why_not(module, 64) is None
    config.attn_logit_softcapping = 50.0
    assert "caps" in why_not(module, 64)
    config.attn_logit_softcapping = None
    module.get_base_model().lm_head.weight.requires_grad_()
    assert "output layer" in why_not(module, 64)
