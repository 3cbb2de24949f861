from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from medrecipe_plugins.models import _hub
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import LoadRequest, MachineError, ModelError


def base(folder, **options) -> CausalLM:
    return CausalLM(options=Options(folder=str(folder), **options))


@pytest.fixture
def copy(tiny_model_folder, tmp_path):
    return shutil.copytree(tiny_model_folder, tmp_path / "model")


def edit(path, **changes) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")


def refusal(model: CausalLM, *, load: bool = False) -> ModelError:
    with pytest.raises(ModelError) as caught:
        model.load(LoadRequest(device="cpu", seed=0)) if load else model.prepare(lambda _: None)
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 4
    return caught.value


def test_offering_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from medrecipe_plugins.models import causal_lm, embedded; from medrecipe_plugins.adapters import lora;"
        "causal_lm.medrecipe_models(); embedded.medrecipe_models(); lora.medrecipe_adapters();"
        "print([m for m in ('torch', 'transformers', 'peft', 'huggingface_hub') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_the_shape_is_read_without_weights_and_is_that_of_the_model(copy, load_tiny) -> None:
    model = load_tiny(copy)
    (copy / "model.safetensors").unlink()
    shape = base(copy).shape()
    assert shape.parameters == sum(p.numel() for p in model.module.parameters())
    assert shape.max_positions == 256
    assert shape.vocabulary == model.rows
    names = {
        n: (m.in_features, m.out_features)
        for n, m in model.module.named_modules()
        if isinstance(m, torch.nn.Linear)
    }
    assert {n: (s.d_in, s.d_out) for n, s in shape.linears.items()} == names
    assert shape.skipped == ()


def test_the_vision_tower_of_a_multimodal_model_is_skipped(tiny_folder_of) -> None:
    shape = base(tiny_folder_of("gemma3_multimodal")).shape()
    assert shape.skipped == ("model.multi_modal_projector", "model.vision_tower")
    assert any(name.startswith("model.vision_tower.") for name in shape.linears)


@pytest.mark.parametrize("architecture", ["gemma3_multimodal", "llama", "phi3", "phi"])
def test_every_architecture_loads_and_answers(tiny_folder_of, load_tiny, architecture) -> None:
    model = load_tiny(tiny_folder_of(architecture))
    with torch.no_grad():
        logits = model.module(input_ids=torch.tensor([[2, 5, 6, 7]])).logits
    assert logits.shape == (1, 4, model.rows)
    assert torch.isfinite(logits).all()


def test_a_moved_model_keeps_its_identity_and_another_tokenizer_or_weight_changes_it(
    tiny_model_folder, copy
) -> None:
    original, moved = base(tiny_model_folder).identity("cpu"), base(copy).identity("cpu")
    assert (original.weights_sha256, original.tokenizer_sha256) == (
        moved.weights_sha256,
        moved.tokenizer_sha256,
    )
    assert original.chat_template_sha256 == moved.chat_template_sha256 != ""
    tensors = load_file(copy / "model.safetensors")
    tensors["model.norm.weight"][0] += 1e-3
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    edit(copy / "tokenizer.json", version="1.0 ")
    changed = base(copy).identity("cpu")
    assert changed.weights_sha256 != moved.weights_sha256
    assert changed.tokenizer_sha256 != moved.tokenizer_sha256
    assert changed.chat_template_sha256 == moved.chat_template_sha256


def test_a_file_of_the_hubs_cache_is_not_read_for_its_hash(tmp_path) -> None:
    from medrecipe_plugins.models._checkpoint import file_sha256

    blob = tmp_path / "blobs" / ("ab" * 32)
    blob.parent.mkdir()
    blob.write_text("not what its name says")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert file_sha256(link) == "ab" * 32


def test_a_gpu_that_is_not_there_is_refused(tiny_model_folder) -> None:
    with pytest.raises(MachineError, match="cuda:9 is asked for") as caught:
        base(tiny_model_folder).load(LoadRequest(device="cuda:9", seed=0))
    assert caught.value.exit_code == 5


def test_an_unknown_device_is_refused(tiny_model_folder) -> None:
    with pytest.raises(MachineError, match="no device 'gpu'"):
        base(tiny_model_folder).load(LoadRequest(device="gpu", seed=0))


def test_loading_prints_nothing(tiny_model_folder, load_tiny, capfd) -> None:
    load_tiny(tiny_model_folder)
    assert capfd.readouterr() == ("", "")


# Faults, by their number in the list of bad inputs.


def test_a_hub_model_without_network_is_one_line_with_its_licence_page_within_seconds(monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    error = refusal(CausalLM(options=Options(name="google/no-such-medgemma")))
    assert time.monotonic() - start < 10
    assert "google/no-such-medgemma is not on this machine" in error.message
    assert "https://huggingface.co/google/no-such-medgemma" in error.message
    assert error.code == "MR451"


def test_an_offline_recipe_never_asks_the_network(monkeypatch) -> None:
    def forbidden(*_: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(_hub, "_need_network", forbidden)
    assert (
        "says offline"
        in refusal(CausalLM(options=Options(name="google/no-such-medgemma", offline=True))).message
    )


def test_54_a_gated_model_says_where_to_accept_its_licence() -> None:
    import httpx2
    from huggingface_hub.errors import GatedRepoError

    request = httpx2.Request("GET", "https://huggingface.co")
    error = _hub._translated(
        "google/medgemma-4b-it", GatedRepoError("403", response=httpx2.Response(403, request=request))
    )
    assert error.code == "MR452"
    assert "https://huggingface.co/google/medgemma-4b-it" in error.message
    assert error.help == "accept the licence there and log in with `hf auth login`"


@pytest.mark.parametrize("make", [False, True], ids=["absent", "empty"])
def test_a_folder_that_is_no_model_is_refused(tmp_path, make) -> None:
    folder = tmp_path / "nowhere"
    if make:
        folder.mkdir()
    assert refusal(base(folder)).code == "MR451"


def test_a_path_may_stand_as_the_name(tiny_model_folder) -> None:
    CausalLM(options=Options(name=str(tiny_model_folder))).prepare(lambda _: None)


def test_a_name_and_a_folder_exclude_each_other(tiny_model_folder) -> None:
    assert (
        "either a name or a folder" in refusal(base(tiny_model_folder, name="google/medgemma-4b-it")).message
    )


@pytest.mark.parametrize("keep", [4, 200, -1])
def test_43_truncated_weights_are_refused(copy, keep) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal(base(copy)).code == "MR456"


def test_43_a_header_that_is_no_json_is_refused(copy) -> None:
    path = copy / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[8:12] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert refusal(base(copy)).code == "MR456"


def test_42_weights_of_another_number_of_layers_are_refused(copy) -> None:
    edit(copy / "config.json", num_hidden_layers=3, layer_types=["full_attention"] * 3)
    error = refusal(base(copy), load=True)
    assert error.code == "MR457"
    assert "missing" in error.message


def test_42_surplus_weights_are_refused(copy) -> None:
    edit(copy / "config.json", num_hidden_layers=1, layer_types=["full_attention"])
    assert "unexpected" in refusal(base(copy), load=True).message


def test_weights_of_another_shape_are_refused(copy) -> None:
    edit(copy / "config.json", intermediate_size=256)
    assert refusal(base(copy), load=True).code in {"MR456", "MR457"}


def test_47_a_checkpoint_with_pickles_only_is_refused(copy) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    error = refusal(base(copy))
    assert error.code == "MR453"
    assert "pytorch_model.bin" in error.message


def test_a_checkpoint_without_weights_is_refused(copy) -> None:
    (copy / "model.safetensors").unlink()
    assert "no weights" in refusal(base(copy)).message


def test_a_missing_shard_is_refused_by_name(copy) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00001-of-00002.safetensors" in refusal(base(copy)).message


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_48_remote_code_is_refused(copy, file) -> None:
    edit(copy / file, auto_map={"AutoModelForCausalLM": "evil.Model"})
    assert refusal(base(copy)).code == "MR454"
    assert refusal(base(copy), load=True).code == "MR454"


def test_50_a_tokenizer_wider_than_the_embeddings_is_refused(copy) -> None:
    path = copy / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["vocab"] |= {f"tok{i}": 5000 + i for i in range(3)}
    path.write_text(json.dumps(content), encoding="utf-8")
    error = refusal(base(copy), load=True)
    assert error.code == "MR459"
    assert "3 tokens" in error.message


def test_55_gemma_3_in_float16_is_refused(copy) -> None:
    assert refusal(base(copy, dtype="float16")).code == "MR455"


def test_an_unknown_architecture_is_one_line(copy) -> None:
    edit(copy / "config.json", model_type="gemma99", architectures=["Gemma99"])
    assert "gemma99" in refusal(base(copy), load=True).message


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_configuration_is_one_line(copy, content) -> None:
    (copy / "config.json").write_text(content)
    assert refusal(base(copy)).code == "MR456"
