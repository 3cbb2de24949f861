"""Rows of added tokens that an adapter trains: they alone, in every role, as stock PEFT reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import LoadRequest, ModelError

TOKENS = ("심근경색증", "췌장염증", "hepatomegaly", "급성신부전")
ARCHITECTURES = ["gemma3", "untied llama", "phi3", "phi"]
KEY = "token_adapter.trainable_tokens_delta"


def wanted(architecture: str) -> bool | str:
    """What the architecture can have trained: PEFT leaves out the biases of phi's output layer."""
    return "input" if architecture == "phi" else True


def base_of(folder: Path, **options: Any) -> CausalLM:
    return CausalLM(
        options=Options(**({"folder": str(folder), "dtype": "float32", "add_tokens": TOKENS} | options))
    )


def loaded(folder: Path, **options: Any) -> Any:
    return base_of(folder, **options).load(LoadRequest(device="cpu", seed=1))


def logits(model: Any) -> torch.Tensor:
    model.module.eval()
    ids = [2, 40, *model.new_tokens, 300, *list(model.new_tokens)[::-1]]
    with torch.no_grad():
        return model.module(input_ids=torch.tensor([ids])).logits.float()


@pytest.fixture
def trained_rows(stacks, tmp_path):
    """Return a function that makes a saved adapter with rows and returns its folder."""

    def make(folder: Path, name: str, below: tuple[Any, ...] = (), seed: int = 3, **options: Any) -> Path:
        options = {"train_new_tokens": True, **options}
        model, own = loaded(folder), stacks.lora(**options)
        own.attach(model, [*below, stacks.layer(name, "train", **options)])
        stacks.disturb(model.module, seed)
        own.save(model, name, tmp_path / name)
        return tmp_path / name

    return make


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_count_is_what_is_trained(folder_of, stacks, architecture) -> None:
    folder, options = folder_of(architecture), {"train_new_tokens": wanted(architecture)}
    model = loaded(folder)
    report = stacks.lora(**options).attach(model, [stacks.layer("korean", "train", **options)])
    counted = stacks.lora(**options).count(base_of(folder).shape())
    assert counted == report.trainable_parameters == model.module.get_nb_trainable_parameters()[0]
    tables = 2 if architecture == "untied llama" else 1
    assert counted - stacks.lora().count(base_of(folder).shape()) == len(TOKENS) * 64 * tables
    assert sum(KEY in name for name in report.trainable) == tables


@pytest.mark.parametrize("architecture", ["gemma3", "untied llama", "phi"])
def test_training_changes_the_new_rows_and_no_other(
    folder_of, trained_rows, stacks, architecture, tmp_path
) -> None:
    folder = folder_of(architecture)
    model = loaded(folder)
    own = stacks.lora(train_new_tokens=wanted(architecture))
    own.attach(model, [stacks.layer("korean", "train", train_new_tokens=wanted(architecture))])
    train(model)
    own.save(model, "korean", tmp_path / "korean")
    merged, plain = loaded(folder), loaded(folder)
    own.attach(merged, [stacks.layer("korean", "merge", tmp_path / "korean")])
    new = list(plain.new_tokens)
    old = [i for i in range(plain.rows) if i not in plain.new_tokens]
    for after, before, trains in zip(
        tables(merged.module), tables(plain.module), (True, architecture != "phi"), strict=True
    ):
        assert torch.equal(after[old], before[old])
        assert (after[new] != before[new]).any(1).tolist() == [trains] * len(new)


def tables(module: Any) -> list[torch.Tensor]:
    return [module.get_input_embeddings().weight.detach(), module.get_output_embeddings().weight.detach()]


def train(model: Any) -> None:
    parameters = [p for p in model.module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1)
    ids = torch.tensor([[2, 40, *model.new_tokens, 41]])
    for _ in range(3):
        model.module(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_adapter_is_what_stock_peft_reads(folder_of, trained_rows, stacks, architecture) -> None:
    folder = folder_of(architecture)
    saved = trained_rows(folder, "korean", train_new_tokens=wanted(architecture))
    ours, theirs = loaded(folder), loaded(folder)
    stacks.lora().attach(ours, [stacks.layer("korean", "freeze", saved)])
    theirs.module = PeftModel.from_pretrained(theirs.module, saved)
    assert torch.equal(logits(ours), logits(theirs))
    keys = [key for key in load_file(saved / "adapter_model.safetensors") if KEY in key]
    assert len(keys) == (2 if architecture == "untied llama" else 1)


@pytest.mark.parametrize("architecture", ["gemma3", "untied llama", "phi"])
def test_rows_are_active_in_every_role(folder_of, trained_rows, stacks, architecture) -> None:
    folder = folder_of(architecture)
    saved = trained_rows(folder, "korean", train_new_tokens=wanted(architecture))
    seen = {}
    for role in ("freeze", "continue", "merge"):
        model = loaded(folder)
        report = stacks.lora().attach(
            model, [stacks.layer("korean", role, saved), stacks.layer("terms", "train")]
        )
        seen[role] = logits(model)
        assert any(KEY in name for name in report.trainable) == (role == "continue")
        if role == "merge":
            assert report.merge.max_abs_logit_difference <= report.merge.tolerance
    assert torch.equal(seen["freeze"], seen["continue"])
    assert torch.allclose(seen["freeze"], seen["merge"], atol=1e-5)
    assert (seen["freeze"] - logits(loaded(folder))).abs().max() > 1e-2


@pytest.mark.parametrize("order", [("korean", "terms"), ("terms", "korean")])
def test_an_adapter_without_rows_stands_above_or_below_one_with_them(
    folder_of, trained_rows, stacks, tmp_path, order
) -> None:
    folder = folder_of("gemma3")
    saved = {
        "korean": trained_rows(folder, "korean"),
        "terms": trained_rows(folder, "terms", seed=5, train_new_tokens=False),
    }
    model = loaded(folder)
    roles = {"korean": "freeze", "terms": "continue"}
    report = stacks.lora().attach(model, [stacks.layer(name, roles[name], saved[name]) for name in order])
    assert not any(KEY in name for name in report.trainable)
    merged = loaded(folder)
    stacks.lora().attach(merged, [stacks.layer(name, "merge", saved[name]) for name in order])
    assert torch.allclose(logits(model), logits(merged), atol=1e-5)
    stacks.disturb(model.module, 9)
    stacks.lora().save(model, "terms", tmp_path / "again")
    files = [load_file(f / "adapter_model.safetensors") for f in (saved["terms"], tmp_path / "again")]
    assert files[0].keys() == files[1].keys()


def test_a_continued_adapter_goes_on_from_its_rows(folder_of, trained_rows, stacks, tmp_path) -> None:
    folder = folder_of("gemma3")
    saved = trained_rows(folder, "korean")
    model = loaded(folder)
    stacks.lora().attach(model, [stacks.layer("korean", "continue", saved)])
    assert model.fresh_tokens == {}
    stacks.disturb(model.module, 9)
    stacks.lora().save(model, "korean", tmp_path / "again")
    first, second = (load_file(f / "adapter_model.safetensors") for f in (saved, tmp_path / "again"))
    key = next(key for key in first if KEY in key)
    assert 0 < (second[key] - first[key]).abs().max() < 0.5
    model_again = loaded(folder)
    stacks.lora().attach(model_again, [stacks.layer("korean", "freeze", tmp_path / "again")])
    assert torch.equal(logits(model_again), logits(model))


def test_a_merged_base_gives_its_rows_to_the_next_adapter(folder_of, trained_rows, stacks) -> None:
    folder = folder_of("untied llama")
    first = trained_rows(folder, "first")
    below = (stacks.layer("first", "merge", first),)
    second = trained_rows(folder, "second", below, seed=4)
    model, stacked = loaded(folder), loaded(folder)
    report = stacks.lora().attach(model, [*below, stacks.layer("second", "merge", second)])
    stacks.lora().attach(stacked, [*below, stacks.layer("second", "freeze", second)])
    assert torch.allclose(logits(model), logits(stacked), atol=1e-5)
    assert report.merge.adapters == ("first", "second")
    assert report.merge.probes == 7


def test_a_merge_that_forgets_the_rows_is_refused(folder_of, trained_rows, stacks, monkeypatch) -> None:
    from medrecipe_plugins.adapters import _token_rows

    saved = trained_rows(folder_of("gemma3"), "korean")
    monkeypatch.setattr(_token_rows, "fold", lambda peft, adapters: None)
    with pytest.raises(ModelError) as caught:
        stacks.lora().attach(loaded(folder_of("gemma3")), [stacks.layer("korean", "merge", saved)])
    assert caught.value.code == "MR463"


def test_rows_are_trained_in_32_bits_on_a_16_bit_base_and_rounded_once(
    folder_of, trained_rows, stacks
) -> None:
    folder = folder_of("gemma3")
    saved = trained_rows(folder, "korean")
    model = loaded(folder, dtype="bfloat16")
    stacks.lora().attach(model, [stacks.layer("korean", "continue", saved)])
    assert {p.dtype for p in model.module.parameters() if p.requires_grad} == {torch.float32}
    merged = loaded(folder, dtype="bfloat16")
    stacks.lora().attach(merged, [stacks.layer("korean", "merge", saved)])
    rows = next(t for key, t in load_file(saved / "adapter_model.safetensors").items() if KEY in key)
    assert torch.equal(merged.module.get_input_embeddings().weight[list(merged.new_tokens)], rows.bfloat16())


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_rows_are_trained_on_a_quantised_base_and_stay_active(folder_of, stacks, tmp_path, kind) -> None:
    pytest.importorskip("bitsandbytes")
    folder, options = folder_of("llama"), {"train_new_tokens": True, "dropout": 0.0}
    model, again = (loaded(folder, quantization=kind, dtype="bfloat16") for _ in range(2))
    own = stacks.lora(**options)
    report = own.attach(model, [stacks.layer("korean", "train", **options)])
    assert report.trainable_parameters == own.count(base_of(folder, quantization=kind).shape())
    train(model)
    own.save(model, "korean", tmp_path / "korean")
    stacks.lora().attach(
        again, [stacks.layer("korean", "freeze", tmp_path / "korean"), stacks.layer("terms", "train")]
    )
    assert torch.equal(logits(again), logits(model))


@pytest.mark.parametrize("options", [{"use_dora": True}, {"init": "pissa"}, {"use_rslora": True}])
def test_rows_go_with_the_other_options(folder_of, trained_rows, stacks, options) -> None:
    folder = folder_of("gemma3")
    saved = trained_rows(folder, "korean", **options)
    frozen, merged = loaded(folder), loaded(folder)
    stacks.lora().attach(frozen, [stacks.layer("korean", "freeze", saved)])
    stacks.lora().attach(merged, [stacks.layer("korean", "merge", saved)])
    assert torch.allclose(logits(frozen), logits(merged), atol=1e-4)


@pytest.mark.parametrize("name", ["get", "copy", "token_adapter"])
def test_any_name_can_name_an_adapter_beside_one_with_rows(folder_of, trained_rows, stacks, name) -> None:
    folder = folder_of("gemma3")
    layers = [
        stacks.layer("korean", "freeze", trained_rows(folder, "korean")),
        stacks.layer(name, "freeze", trained_rows(folder, name, train_new_tokens=False)),
    ]
    one, other = loaded(folder), loaded(folder)
    stacks.lora().attach(one, layers)
    stacks.lora().attach(other, [layers[0], replace(layers[1], name="terms")])
    assert torch.equal(logits(one), logits(other))


def test_two_active_adapters_with_rows_are_refused(folder_of, trained_rows, stacks) -> None:
    saved = trained_rows(folder_of("gemma3"), "korean")
    layers = [
        stacks.layer("korean", "freeze", saved),
        stacks.layer("terms", "train", train_new_tokens=True),
    ]
    with pytest.raises(ModelError, match="korean and terms both train the rows") as caught:
        stacks.lora().attach(loaded(folder_of("gemma3")), layers)
    assert caught.value.code == "MR475"
    with pytest.raises(ModelError) as at_check:
        layers[-1].adapter.verify_stack([replace(layers[0], adapter=layers[1].adapter), layers[1]])
    assert str(at_check.value) == str(caught.value)
    layers[-1].adapter.verify_stack([replace(layers[0], role="merge", adapter=layers[1].adapter), layers[1]])


@pytest.mark.parametrize("where", ["count", "attach"])
@pytest.mark.parametrize(
    ("architecture", "tokens", "why"),
    [("gemma3", (), "no tokens are added"), ("phi", TOKENS, "output layer of this model has biases")],
)
def test_rows_that_cannot_be_trained_are_refused(folder_of, stacks, where, architecture, tokens, why) -> None:
    own, folder = stacks.lora(train_new_tokens=True), folder_of(architecture)
    layers = [stacks.layer("korean", "train", train_new_tokens=True)]
    ask = {
        "count": lambda: own.count(base_of(folder, add_tokens=tokens).shape()),
        "attach": lambda: own.attach(loaded(folder, add_tokens=tokens), layers),
    }[where]
    with pytest.raises(ModelError, match=why) as caught:
        ask()
    assert caught.value.code == "MR474"


@pytest.mark.parametrize("tokens", [(), TOKENS[:2], ("가슴막염증", *TOKENS)])
def test_an_adapter_with_rows_of_other_tokens_is_refused(folder_of, trained_rows, stacks, tokens) -> None:
    saved = trained_rows(folder_of("gemma3"), "korean")
    with pytest.raises(ModelError, match="rows of other tokens") as caught:
        stacks.lora().attach(
            loaded(folder_of("gemma3"), add_tokens=tokens), [stacks.layer("korean", "freeze", saved)]
        )
    assert caught.value.code == "MR462"


def test_a_saved_configuration_names_the_rows(folder_of, trained_rows) -> None:
    saved = trained_rows(folder_of("untied llama"), "korean")
    config = json.loads((saved / "adapter_config.json").read_text(encoding="utf-8"))
    ids = list(loaded(folder_of("untied llama")).new_tokens)
    assert config["trainable_token_indices"] == {"model.embed_tokens": ids, "lm_head": ids}


def test_only_an_adapter_that_is_new_has_tokens_to_see(folder_of, stacks) -> None:
    for options, fresh in (({"train_new_tokens": True}, TOKENS), ({}, ())):
        model = loaded(folder_of("gemma3"))
        stacks.lora().attach(model, [stacks.layer("korean", "train", **options)])
        assert tuple(model.fresh_tokens.values()) == fresh
