"""Under what terms a base may be used: from its own card, or as its makers published it."""

from __future__ import annotations

import pytest

from medrecipe_plugins.models import _hub
from medrecipe_plugins.models._checkpoint import Checkpoint
from medrecipe_plugins.models._known_models import known_models
from medrecipe_plugins.models._licence import licence_of
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from medrecipe_plugins.models.embedded import Embedded
from medrecipe_plugins.models.embedded import Options as EmbeddedOptions
from pipeline_dsl.api import Licence


def of(folder, card: str | None, name: str = "somebody/model") -> Licence | None:
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return licence_of(Checkpoint(folder=folder, name=name))


def test_the_card_of_the_base_says_it(tmp_path):
    found = of(tmp_path, "---\nlicense: mit\n---\n# A model\n")
    assert found == Licence(name="mit", source="the card of the base")


def test_a_licence_of_its_own_has_a_name_and_a_link(tmp_path):
    card = "---\nlicense: other\nlicense_name: my-terms\nlicense_link: https://example.org/terms\n---\n"
    assert of(tmp_path, card) == Licence(
        name="my-terms", link="https://example.org/terms", source="the card of the base"
    )


@pytest.mark.parametrize(
    "card",
    [
        None,
        "",
        "# A model\n",
        "---\ntags: [x]\n---\n",
        "---\nlicense: [a, b]\n---\n",
        "---\n- a\n---\n",
        "---\n{: [\n---\n",
    ],
)
def test_what_no_card_says_is_not_known(tmp_path, card):
    assert of(tmp_path, card) is None


def test_a_well_known_model_has_the_licence_that_was_published(tmp_path):
    found = of(tmp_path, None, "meta-llama/Llama-3.2-1B")
    assert (found.name, found.link) == ("llama3.2", "https://www.llama.com/llama3_2/license/")
    assert found.source == "what its makers published"
    assert of(tmp_path, "---\nlicense: mit\n---\n", "meta-llama/Llama-3.2-1B").name == "mit"


def test_every_known_model_has_one(tmp_path):
    names = {name: of(tmp_path, None, name).name for name in known_models()}
    assert names == {
        "google/medgemma-4b-it": "health-ai-developer-foundations",
        "google/medgemma-27b-text-it": "health-ai-developer-foundations",
        "meta-llama/Llama-3.2-1B": "llama3.2",
        "microsoft/Phi-4-mini-instruct": "mit",
        "microsoft/phi-2": "mit",
    }


def test_a_card_is_fetched_with_the_model():
    assert "README.md" in _hub._FILES


def test_the_providers_tell_it(tiny_folder_of):
    assert CausalLM(options=Options(folder=str(tiny_folder_of("llama")))).licence() is None
    assert Embedded(options=EmbeddedOptions()).licence().name == "apache-2.0"
