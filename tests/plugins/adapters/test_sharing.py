"""Several stacks on one base: each text is what its own stack writes alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import BASE, Generation, LoadRequest, ModelError, Sample

ARCHITECTURES = ["gemma3_multimodal", "llama", "phi3", "phi"]
PROMPTS = ["word question:\nheart\n", "고혈압은", "The patient was given", "폐"]
STRONG = {"r": 8, "alpha": 64}
"""Options of adapters whose effect shows in texts."""


def load(folder, **options):
    base = CausalLM(options=Options(folder=str(folder), **({"dtype": "float32"} | options)))
    return base.load(LoadRequest(device="cpu", seed=1))


def write(model, *asked: tuple[str, str]) -> list[str]:
    """Texts of prompts by stacks, written together; drawn, since untrained models repeat themselves."""
    decoder = model.decoder()
    for n, (prompt, stack) in enumerate(asked):
        sample = Sample(prompt=prompt, completion="")
        decoder.add(
            Generation(id=str(n), sample=sample, stack=stack, max_new_tokens=10, temperature=1.0, seed=n)
        )
    found = [""] * len(asked)
    while len(decoder):
        for piece in decoder.step():
            found[int(piece.id)] += piece.text
    return found


def logits_of(model, stack: str) -> torch.Tensor:
    ids = torch.tensor([[2, 40, 41, 300, 7, 8, 90, 91]])
    model.select([stack])
    model.module.eval()
    with torch.no_grad():
        return model.module(input_ids=ids).logits.float()


@pytest.fixture
def siblings(trained, stacks):
    """Return a function that makes three stacks on a model folder: two siblings, one of two layers."""

    def make(folder):
        one = trained(folder, "one", **STRONG)
        two = trained(
            folder, "two", seed=4, **(STRONG | {"target_modules": "all-linear", "use_rslora": True})
        )
        below = stacks.layer("one", "freeze", one, **STRONG)
        top = trained(folder, "top", (below,), seed=5, **(STRONG | {"r": 2}))
        return {
            "one": [stacks.layer("one", "freeze", one)],
            "two": [stacks.layer("two", "freeze", two)],
            "top": [stacks.layer("one", "merge", one), stacks.layer("top", "freeze", top)],
        }

    return make


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_stack_of_a_shared_base_computes_what_it_computes_alone(
    tiny_folder_of, stacks, siblings, architecture
) -> None:
    folder = tiny_folder_of(architecture)
    layers = siblings(folder)
    shared = load(folder)
    stacks.lora().attach_several(shared, layers)
    base = logits_of(load(folder), BASE)
    assert torch.equal(logits_of(shared, BASE), base)
    for name, own in layers.items():
        alone = load(folder)
        stacks.lora().attach(alone, own)
        expected = logits_of(alone, BASE)
        assert (expected - base).abs().max() > 0.1
        assert (logits_of(shared, name) - expected).abs().max() <= 2e-5


@pytest.mark.parametrize("architecture", ["gemma3"])
def test_texts_of_several_stacks_that_are_written_together_are_those_that_each_writes_alone(
    tiny_folder_of, stacks, siblings, architecture
) -> None:
    folder = tiny_folder_of(architecture)
    layers = siblings(folder)
    shared = load(folder)
    stacks.lora().attach_several(shared, layers)
    asked = [(prompt, stack) for prompt in PROMPTS for stack in (*layers, BASE)]
    together = write(shared, *asked)
    assert len(set(together)) > len(PROMPTS)
    for stack in (*layers, BASE):
        alone = load(folder)
        if stack:
            stacks.lora().attach(alone, layers[stack])
        for n, (prompt, _) in ((n, each) for n, each in enumerate(asked) if each[1] == stack):
            sample = Sample(prompt=prompt, completion="")
            decoder, text = alone.decoder(), ""
            decoder.add(Generation(id="x", sample=sample, max_new_tokens=10, temperature=1.0, seed=n))
            while len(decoder):
                text += "".join(piece.text for piece in decoder.step())
            assert text == together[n], (prompt, stack)


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_stacks_share_a_quantised_base(tiny_folder_of, stacks, trained, kind) -> None:
    folder = tiny_folder_of("llama")
    layers = {
        name: [stacks.layer(name, "freeze", trained(folder, name, seed=seed, **STRONG))]
        for seed, name in enumerate(("one", "two"))
    }
    shared = load(folder, quantization=kind)
    stacks.lora().attach_several(shared, layers)
    for name, own in layers.items():
        alone = load(folder, quantization=kind)
        stacks.lora().attach(alone, own)
        assert (logits_of(shared, name) - logits_of(alone, BASE)).abs().max() <= 2e-5
    assert torch.equal(logits_of(shared, BASE), logits_of(load(folder, quantization=kind), BASE))


def test_in_16_bits_stacks_share_what_was_merged_below_them(tiny_folder_of, stacks, siblings) -> None:
    folder = tiny_folder_of("llama")
    layers = siblings(folder)
    shared, alone = load(folder, dtype="bfloat16"), load(folder, dtype="bfloat16")
    below = stacks.lora().foundation(layers["top"], shared.identity)
    assert below.startswith("merge: one")
    assert stacks.lora().foundation(layers["one"], shared.identity) == ""
    stacks.lora().attach_several(shared, {"top": layers["top"]})
    stacks.lora().attach(alone, layers["top"])
    assert torch.equal(logits_of(shared, "top"), logits_of(alone, BASE))
    with pytest.raises(ModelError) as error:
        write(shared, (PROMPTS[0], BASE))
    assert error.value.code == "MR469"


def test_in_16_bits_stacks_on_other_weights_do_not_share_a_base(tiny_folder_of, stacks, siblings) -> None:
    folder = tiny_folder_of("llama")
    with pytest.raises(ModelError) as error:
        stacks.lora().attach_several(load(folder, dtype="bfloat16"), siblings(folder))
    assert error.value.code == "MR469"


def test_in_32_bits_merged_layers_need_no_base_of_their_own(tiny_folder_of, stacks, siblings) -> None:
    folder = tiny_folder_of("llama")
    layers = siblings(folder)
    exact = load(folder).identity
    assert {stacks.lora().foundation(own, exact) for own in layers.values()} == {""}


def test_dora_has_a_base_of_its_own(tiny_folder_of, stacks, trained) -> None:
    folder = tiny_folder_of("llama")
    own = [stacks.layer("one", "freeze", trained(folder, "one", use_dora=True))]
    model, alone = load(folder), load(folder)
    assert stacks.lora().foundation(own, model.identity).startswith("alone")
    stacks.lora().attach_several(model, {"one": own})
    stacks.lora().attach(alone, own)
    assert torch.equal(logits_of(model, "one"), logits_of(alone, BASE))
    assert write(model, (PROMPTS[0], "one"))
    with pytest.raises(ModelError):
        write(model, (PROMPTS[0], BASE))


def test_a_damaged_adapter_is_refused(tiny_folder_of, stacks, trained) -> None:
    folder = tiny_folder_of("llama")
    saved = trained(folder, "one")
    weights = saved / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ModelError) as error:
        stacks.lora().attach_several(load(folder), {"one": [stacks.layer("one", "freeze", saved)]})
    assert error.value.code == "MR456"


def test_the_foundation_is_of_the_base_as_it_is_loaded(tiny_folder_of, stacks, siblings) -> None:
    layers = siblings(tiny_folder_of("llama"))["top"]
    identity = load(tiny_folder_of("llama")).identity
    assert stacks.lora().foundation(layers, replace(identity, dtype="float16")).startswith("merge")
