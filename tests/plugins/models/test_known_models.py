"""Parameter counts of real models, without their files: equal to PEFT's own on the real configuration."""

from functools import cache

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig

from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.models._known_models import known_models, known_shape
from medrecipe_plugins.models._loading import model_class
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import ModelError

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing`:FutureWarning"
)  # PEFT asks for it
shape_of = cache(known_shape)
MODELS = sorted(known_models())
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
TARGETS = {
    "google/medgemma-4b-it": ATTENTION,
    "google/medgemma-27b-text-it": ATTENTION,
    "meta-llama/Llama-3.2-1B": (*ATTENTION, "gate_proj", "up_proj", "down_proj"),
    "microsoft/Phi-4-mini-instruct": ("qkv_proj", "o_proj"),
    "microsoft/phi-2": ("q_proj", "k_proj", "v_proj", "dense"),
}


def _by_peft(name, targets, r):
    config = AutoConfig.for_model(**known_models()[name]["config"])
    exclude = r".*vision_tower.*" if hasattr(config, "vision_config") else None
    with torch.device("meta"):
        module = model_class(config).from_config(config)
    lora = LoraConfig(r=r, target_modules=list(targets), exclude_modules=exclude)
    return get_peft_model(module, lora).get_nb_trainable_parameters()[0]


@pytest.fixture(autouse=True)
def _no_files(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", MODELS)
def test_a_known_model_has_as_many_parameters_as_its_published_weights(name):
    assert shape_of(name).parameters == known_models()[name]["parameters"]


@pytest.mark.parametrize("name", MODELS)
def test_adapters_on_it_are_counted_as_peft_counts_them(name):
    counted = Lora(options=LoraOptions(r=16, target_modules=TARGETS[name])).count(shape_of(name))
    assert counted == _by_peft(name, TARGETS[name], 16)


def test_medgemma_4b_without_its_vision_tower_has_8_912_896_trainable_parameters():
    adapter = Lora(options=LoraOptions(r=16, target_modules=ATTENTION))
    assert adapter.count(shape_of("google/medgemma-4b-it")) == 8_912_896


def test_with_its_vision_tower_it_has_11_898_880():
    adapter = Lora(options=LoraOptions(r=16, target_modules=ATTENTION, vision_tower=True))
    assert adapter.count(shape_of("google/medgemma-4b-it")) == 11_898_880


def test_a_model_that_is_not_here_is_measured_as_published_and_says_so():
    shape = CausalLM(options=Options(name="microsoft/phi-2")).shape()
    assert shape.parameters == 2_779_683_840
    assert "microsoft/phi-2" in shape.note


def test_a_model_that_nobody_knows_is_not_guessed():
    with pytest.raises(ModelError) as caught:
        CausalLM(options=Options(name="nobody/knows-this")).shape()
    assert caught.value.code == "MR451"
