from __future__ import annotations

import pytest
import torch

from medrecipe_plugins.adapters import _targets
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import LinearShape, ModelError, ModelShape

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"]
VARIANTS = [
    {},
    {"target_modules": "all-linear"},
    {"use_dora": True},
    {"rank_pattern": {r"layers\.0\..*": 2}, "use_rslora": True},
]


def shape_of(folder) -> ModelShape:
    return CausalLM(options=Options(folder=str(folder))).shape()


@pytest.mark.parametrize("options", VARIANTS, ids=["plain", "all-linear", "dora", "rank_pattern"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_count_is_what_peft_trains(tiny_folder_of, load_tiny, stacks, architecture, options) -> None:
    folder = tiny_folder_of(architecture)
    model = load_tiny(folder)
    counted = stacks.lora(**options).count(shape_of(folder))
    report = stacks.lora(**options).attach(model, [stacks.layer("terms", "train", **options)])
    assert counted == report.trainable_parameters == model.module.get_nb_trainable_parameters()[0]
    assert report.total_parameters == sum(p.numel() for p in model.module.parameters())
    assert not any("vision_tower" in name for name in report.trainable)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("gemma3", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("gemma3_multimodal", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("llama", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("phi3", {"qkv_proj", "o_proj"}),
        ("phi", {"q_proj", "k_proj", "v_proj", "dense"}),
    ],
)
def test_attention_projections_are_the_architectures_own(
    tiny_folder_of, stacks, architecture, expected
) -> None:
    shape = shape_of(tiny_folder_of(architecture))
    assert set(_targets.resolve(stacks.lora().options, shape.linears, shape.skipped)) == expected


def test_it_counts_real_shapes_and_no_formula(stacks) -> None:
    linears = {
        "m.self_attn.q_proj": LinearShape(d_in=2560, d_out=2048),
        "m.self_attn.o_proj": LinearShape(d_in=2048, d_out=2560),
    }
    shape = ModelShape(parameters=1, linears=linears, max_positions=1, vocabulary=1)
    assert stacks.lora(r=64).count(shape) == 64 * (2560 + 2048) * 2


def test_all_linear_leaves_the_output_layer_out(tiny_folder_of, stacks) -> None:
    shape = shape_of(tiny_folder_of("llama"))
    targets = _targets.resolve(stacks.lora(target_modules="all-linear").options, shape.linears, shape.skipped)
    assert targets == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


@pytest.mark.parametrize("where", ["count", "attach"])
def test_52_a_target_that_matches_nothing_lists_the_candidates(
    tiny_model_folder, load_tiny, stacks, where
) -> None:
    options = {"target_modules": ("q_proj", "v_porj")}
    own = stacks.lora(**options)
    layers = [stacks.layer("a", "train", **options)]
    ask = {
        "count": lambda: own.count(shape_of(tiny_model_folder)),
        "attach": lambda: own.attach(load_tiny(tiny_model_folder), layers),
    }[where]
    with pytest.raises(ModelError) as caught:
        ask()
    error = caught.value
    assert error.code == "MR460"
    assert "'v_porj'" in error.message
    assert "did you mean v_proj?" in error.message
    assert "q_proj" in str(error.help)
    assert "gate_proj" in str(error.help)


@pytest.mark.parametrize("option", ["rank_pattern", "alpha_pattern"])
def test_a_pattern_that_matches_nothing_is_refused(tiny_model_folder, stacks, option) -> None:
    with pytest.raises(ModelError, match=option):
        stacks.lora(**{option: {"k_porj": 2}}).count(shape_of(tiny_model_folder))


def test_a_pattern_that_is_no_expression_is_refused(tiny_model_folder, stacks) -> None:
    with pytest.raises(ModelError, match="no regular expression"):
        stacks.lora(rank_pattern={"(": 2}).count(shape_of(tiny_model_folder))


@pytest.mark.parametrize("options", [{}, {"target_modules": "all-linear"}, {"target_modules": ("fc1",)}])
def test_the_vision_tower_is_adapted_where_it_is_asked_for(
    tiny_folder_of, load_tiny, stacks, options, tmp_path
) -> None:
    folder, options = tiny_folder_of("gemma3_multimodal"), {**options, "vision_tower": True}
    model = load_tiny(folder)
    report = stacks.lora(**options).attach(model, [stacks.layer("seeing", "train", **options)])
    counted = stacks.lora(**options).count(shape_of(folder))
    assert counted == report.trainable_parameters == model.module.get_nb_trainable_parameters()[0]
    assert any("vision_tower" in name for name in report.trainable)
    stacks.disturb(model.module)
    stacks.lora(**options).save(model, "seeing", tmp_path / "saved")
    merged = load_tiny(folder)
    stacks.lora().attach(merged, [stacks.layer("seeing", "merge", tmp_path / "saved")])
    assert (vision_weight(merged) - vision_weight(load_tiny(folder))).abs().max() > 0


def vision_weight(model):
    parts = ("q_proj", "fc1")
    found = [
        p.detach().flatten()
        for name, p in model.module.named_parameters()
        if "vision_tower" in name and name.endswith(tuple(f"{part}.weight" for part in parts))
    ]
    return torch.cat(found)


@pytest.mark.parametrize("where", ["count", "attach"])
def test_a_vision_tower_that_is_not_there_is_refused(tiny_model_folder, load_tiny, stacks, where) -> None:
    own, layers = stacks.lora(vision_tower=True), [stacks.layer("a", "train", vision_tower=True)]
    ask = {
        "count": lambda: own.count(shape_of(tiny_model_folder)),
        "attach": lambda: own.attach(load_tiny(tiny_model_folder), layers),
    }[where]
    with pytest.raises(ModelError, match="this model has none") as caught:
        ask()
    assert caught.value.code == "MR460"
