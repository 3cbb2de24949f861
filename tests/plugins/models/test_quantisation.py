"""Bases of 4 and 8 bits on a CPU: what they are, and that an evaluation leaves them as they were."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from importlib.metadata import version

import pytest
import torch

from medrecipe_plugins.models import causal_lm, embedded
from medrecipe_plugins.models._quantisation import is_quantised, real_size
from pipeline_dsl.api import LoadRequest, MachineError, ModelError, Need, Sample

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"]
KINDS = ["nf4", "fp4", "int8"]
IDS = torch.tensor([[2, 40, 41, 300, 7, 8, 90, 91]])
SAMPLES = [Sample(prompt="fever:", completion=" 발열", choices=("A", "B"))]


def base(folder, **options) -> causal_lm.CausalLM:
    return causal_lm.CausalLM(options=causal_lm.Options(folder=str(folder), **options))


def load(folder, **options):
    return base(folder, **({"dtype": "float32"} | options)).load(LoadRequest(device="cpu", seed=1))


def logits(model) -> torch.Tensor:
    model.module.eval()
    with torch.no_grad():
        return model.module(input_ids=IDS).logits


def quantised_layers(model) -> set[str]:
    return {
        name
        for name, part in model.module.named_modules()
        if isinstance(part, torch.nn.Linear) and type(part) is not torch.nn.Linear
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_nearly_itself_when_quantised(tiny_folder_of, architecture, kind) -> None:
    folder = tiny_folder_of(architecture)
    plain, packed = load(folder), load(folder, quantization=kind)
    exact, rounded = logits(plain).log_softmax(-1), logits(packed).log_softmax(-1)
    distance = (exact.exp() * (exact - rounded)).sum(-1).max()
    assert 0 < distance < {"int8": 2e-3}.get(kind, 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_all_linear_layers_but_the_output_are_packed(tiny_folder_of, kind) -> None:
    for architecture in ("gemma3", "phi"):  # with an output layer that is tied, and one of its own
        model = load(tiny_folder_of(architecture), quantization=kind)
        linears = base(tiny_folder_of(architecture)).shape().linears
        assert quantised_layers(model) == set(linears) - {"lm_head"}
        assert model.module.get_output_embeddings().weight.dtype == torch.float32
        assert model.module.get_input_embeddings().weight.dtype == torch.float32
        assert is_quantised(model.module)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_parameters_count_as_what_they_stand_for(tiny_folder_of, architecture, kind) -> None:
    folder = tiny_folder_of(architecture)
    model = load(folder, quantization=kind)
    total = sum(real_size(p) for p in model.module.parameters())
    assert total == sum(p.numel() for p in load(folder).module.parameters())
    assert total == base(folder, quantization=kind).shape().parameters


def test_double_quantisation_is_on_unless_it_is_written_off(tiny_model_folder) -> None:
    for wanted, nested in ((None, True), (True, True), (False, False)):
        model = load(tiny_model_folder, quantization="nf4", double_quant=wanted)
        weight = model.module.model.layers[0].mlp.up_proj.weight
        assert weight.quant_state.nested is nested
        assert model.identity.double_quant is nested


def test_the_compute_dtype_is_the_models_unless_it_is_written(tiny_model_folder) -> None:
    for options, compute in (
        ({}, torch.float32),
        ({"dtype": "bfloat16"}, torch.bfloat16),
        ({"compute_dtype": "bfloat16"}, torch.bfloat16),
    ):
        model = load(tiny_model_folder, quantization="nf4", **options)
        layer = model.module.model.layers[0].mlp.up_proj
        assert layer.compute_dtype == compute
        assert model.identity.compute_dtype == str(compute).removeprefix("torch.")
        assert torch.isfinite(logits(model)).all()


def test_the_identity_tells_how_a_base_is_loaded(tiny_model_folder) -> None:
    plain, packed, eight = (
        base(tiny_model_folder, **options).identity("cpu")
        for options in ({}, {"quantization": "nf4"}, {"quantization": "int8"})
    )
    assert (plain.quantisation, plain.double_quant, plain.compute_dtype, plain.dtype) == (
        "",
        False,
        "",
        "float32",
    )
    assert (packed.quantisation, packed.double_quant, packed.compute_dtype) == ("nf4", True, "float32")
    assert (eight.quantisation, eight.double_quant, eight.compute_dtype) == ("int8", False, "")
    assert plain.weights_sha256 == packed.weights_sha256
    assert (plain.quantised_by, packed.quantised_by) == ("", f"bitsandbytes {version('bitsandbytes')}")
    assert load(tiny_model_folder, dtype="auto", quantization="nf4").identity == packed


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_is_known_to_be_quantised_from_its_options(kind) -> None:
    for module, of in ((causal_lm, causal_lm.CausalLM), (embedded, embedded.Embedded)):
        assert of(options=module.Options(quantization=kind)).quantisation == kind
        assert of(options=module.Options()).quantisation == ""


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_an_evaluation_changes_neither_weights_nor_what_is_computed(tiny_model_folder, kind) -> None:
    model = load(tiny_model_folder, quantization=kind)
    before = {n: p.detach().clone() for n, p in model.module.named_parameters()}
    first = logits(model)
    for need in Need:
        model.observe(SAMPLES, need, max_new_tokens=3)
    after = dict(model.module.named_parameters())
    assert all(torch.equal(after[n], p) for n, p in before.items())
    assert torch.equal(logits(model), first)


def test_a_quantised_gemma_3_that_multiplies_in_float16_is_refused(tiny_model_folder) -> None:
    with pytest.raises(ModelError) as caught:
        base(tiny_model_folder, quantization="nf4", compute_dtype="float16").prepare(lambda _: None)
    assert caught.value.code == "MR455"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"double_quant": True}, "double_quant"),
        ({"compute_dtype": "bfloat16"}, "compute_dtype"),
        ({"quantization": "int8", "double_quant": False}, "double_quant"),
        ({"quantization": "int8", "compute_dtype": "float16"}, "compute_dtype"),
    ],
)
def test_what_is_about_4_bits_alone_is_refused_elsewhere(options, name) -> None:
    for module in (causal_lm, embedded):
        with pytest.raises(ModelError) as caught:
            module.medrecipe_models()[0].factory(module.Options(**options))
        assert (caught.value.code, caught.value.place) == ("MR476", name)


def test_weights_that_are_quantised_already_are_refused(tiny_model_folder, tmp_path) -> None:
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="already \\(bitsandbytes\\)") as caught:
        base(folder).prepare(lambda _: None)
    assert caught.value.code == "MR477"


def test_without_bitsandbytes_a_quantised_base_says_how_to_get_it(tiny_model_folder, monkeypatch) -> None:
    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setattr(importlib.metadata, "version", gone)
    base(tiny_model_folder).prepare(lambda _: None)
    for act in (lambda m: m.prepare(lambda _: None), lambda m: m.load(LoadRequest(device="cpu", seed=1))):
        with pytest.raises(MachineError) as caught:
            act(base(tiny_model_folder, quantization="nf4"))
        assert (caught.value.code, caught.value.exit_code) == ("MR603", 5)
        assert "pip install 'bitsandbytes" in caught.value.help


def test_an_embedded_model_is_built_once_for_all_ways_to_keep_it() -> None:
    from medrecipe_plugins.models._embedded import checkpoint

    ways = [
        {},
        {"quantization": "nf4"},
        {"quantization": "nf4", "double_quant": False},
        {"quantization": "int8"},
    ]
    assert len({checkpoint(embedded.Options(**way)).folder for way in ways}) == 1


def test_bfloat16_is_asked_of_a_gpu_only_where_it_has_it(monkeypatch) -> None:
    from medrecipe_plugins.models import _machine

    monkeypatch.setattr(_machine, "has_bfloat16", lambda device: device == "cpu")
    assert _machine.choose_dtype("auto", "cuda:0") == "float32"
    assert _machine.choose_dtype("float16", "cuda:0") == "float16"
    assert _machine.choose_dtype("bfloat16", "cpu") == "bfloat16"
    with pytest.raises(MachineError) as caught:
        _machine.choose_dtype("bfloat16", "cuda:0")
    assert caught.value.code == "MR604"
