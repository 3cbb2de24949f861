"""What is said of a model's layers without loading it is what transformers builds."""

from __future__ import annotations

import json

import pytest

from medrecipe_plugins.models import embedded
from medrecipe_plugins.models._known_models import known_models
from medrecipe_plugins.models._layers import architecture_of, layers_of
from medrecipe_plugins.models.causal_lm import CausalLM, Options

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_layers_that_are_told_are_those_that_are_built(architecture):
    from medrecipe_plugins.models._embedded import configuration
    from medrecipe_plugins.models._shape import shape_of_config

    model = embedded.Embedded(options=embedded.Options(architecture=architecture))
    config, tokens = configuration(model.options)
    built = {name.rpartition(".")[2] for name in shape_of_config(config, tokens=tokens).linears}
    assert built == set(model.layers())


@pytest.mark.parametrize("name", known_models())
def test_the_layers_of_every_well_known_model_are_known(name):
    assert CausalLM(options=Options(name=name)).layers()


def test_a_local_folder_says_its_architecture(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "phi3"}), encoding="utf-8")
    assert architecture_of(None, str(tmp_path)) == architecture_of(str(tmp_path), None) == "phi3"
    assert "qkv_proj" in layers_of("phi3")


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"model_type": 3}'])
def test_what_is_not_known_is_not_guessed(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content, encoding="utf-8")
    assert architecture_of(None, str(tmp_path)) is None
    assert CausalLM(options=Options(name="some/model")).layers() is None
    assert layers_of("mamba") is None
