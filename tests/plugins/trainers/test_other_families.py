"""Models of other families: packs where they are right for them, else padded batches, and never a guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from medrecipe_plugins.trainers import lora_sft, trainer
from pipeline_dsl.api import Control, LoadRequest, ModelError, Need, Sample, StackLayer, TrainJob

SIZE: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256, "attention_dropout": 0.0,
}  # fmt: skip
OLDER: dict[str, Any] = {
    "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256,
    "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
}  # fmt: skip
PACKED: dict[str, dict[str, Any]] = {
    "mistral": SIZE | {"sliding_window": 16},
    "qwen3": SIZE,
    "exaone4": SIZE | {"sliding_window": 16},
    "olmo2": SIZE,
    "smollm3": SIZE,
    "gptj": OLDER | {"rotary_dim": 8},
    "granite": SIZE | {"logits_scaling": 8.0},
    "hyperclovax": SIZE | {"logits_scaling": 0.25},
    "cohere2": SIZE | {"logit_scale": 0.0625},
}
PADDED: dict[str, tuple[dict[str, Any], str]] = {
    "xglm": (
        {
            "d_model": 32,
            "ffn_dim": 48,
            "num_layers": 2,
            "attention_heads": 4,
            "dropout": 0.0,
            "attention_dropout": 0.0,
        },
        "ValueError",
    ),
    "gpt_oss": (SIZE | {"num_local_experts": 4, "num_experts_per_tok": 2}, "its attention has s_aux"),
    "gpt_neox_japanese": (SIZE | {"attention_dropout": 0.0, "hidden_dropout": 0.0}, "instead of"),
    "gemma2": (SIZE, "its attention caps logits"),
}
PLAIN, PACKS = trainer.medrecipe_trainers()[0], lora_sft.medrecipe_trainers()[0]
SHOT = "question: which organ pumps blood? answer: the heart\n"
SAMPLES = [
    Sample(
        prompt=SHOT * (n % 2) + f"question {n}{'!' * (n * 3 % 11)}\n",
        completion=f"answer {n * 7}",
        choices=("one", "two"),
        id=f"row:{n}",
    )
    for n in range(6)
]


class InOrder:
    """The same samples every epoch."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def epoch(self, number: int) -> Any:
        return self.items


@pytest.fixture
def family(tiny_folder_of, tmp_path):
    """Makes the folder of a random model of a family, with the tokenizer of the small Llama."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    def of(name: str, **settings: Any) -> Path:
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(tiny_folder_of("llama"))
        marks = {f"{mark}_token_id": getattr(tokenizer, f"{mark}_token_id") for mark in ("bos", "eos", "pad")}
        config = AutoConfig.for_model(name, vocab_size=len(tokenizer), **marks, **settings)
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        return tmp_path / name

    return of


def trained(load_tiny, folder: Path, provider: Any, job: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    model = load_tiny(folder)
    own = Lora(options=LoraOptions(r=4, alpha=8, dropout=0.0, target_modules="all-linear"))
    own.attach(model, [StackLayer(name="a", role="train", adapter=own, folder=None)])
    work = provider.factory(
        provider.options(
            batch_size=3,
            max_steps=4,
            learning_rate=1e-3,
            max_length=128,
            group_by_length=False,
            optimizer="sgd",
        )
    )
    rows = work.prepare(model, SAMPLES).rows
    said: list[str] = []
    work.train(
        TrainJob(
            phase="p", model=model, samples=InOrder(rows), seed=3, folder=job, resume=False,
            fire=lambda _: Control(), say=said.append,
        )
    )  # fmt: skip
    return {n: p.detach().clone() for n, p in model.module.named_parameters() if p.requires_grad}, said


@pytest.mark.parametrize("name", PACKED)
def test_packs_train_them_as_padded_batches_do(name, family, load_tiny, tmp_path):
    folder = family(name, **PACKED[name])
    packed, said = trained(load_tiny, folder, PACKS, tmp_path / "packed")
    padded, _ = trained(load_tiny, folder, PLAIN, tmp_path / "padded")
    assert not any("padded" in line for line in said)
    assert packed.keys() == padded.keys()
    for key, weights in padded.items():
        torch.testing.assert_close(packed[key], weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", PADDED)
def test_where_packs_are_not_right_it_is_said_and_padded_batches_train(name, family, load_tiny, tmp_path):
    settings, reason = PADDED[name]
    folder = family(name, **settings)
    packed, said = trained(load_tiny, folder, PACKS, tmp_path / "packed")
    padded, _ = trained(load_tiny, folder, PLAIN, tmp_path / "padded")
    assert [line for line in said if "trained in padded batches" in line and reason in line]
    for key, weights in padded.items():
        assert torch.equal(packed[key], weights)


@pytest.mark.parametrize("name", ["granite", "xglm"])
def test_they_are_scored_by_likelihood_as_one_sample_at_a_time_is(name, family, load_tiny):
    settings = PACKED.get(name) or PADDED[name][0]
    model = load_tiny(family(name, **settings))
    together = model.observe(SAMPLES, Need.CHOICES)
    alone = [model.observe([sample], Need.CHOICES)[0] for sample in SAMPLES]
    for one, other in zip(together, alone, strict=True):
        assert one.choice_scores == pytest.approx(other.choice_scores, abs=1e-4)


def test_a_model_without_the_attention_that_is_asked_for_is_told_so_with_the_way_out(family):
    model = CausalLM(options=Options(folder=str(family("gemma2", **SIZE)), attn_implementation="sdpa"))
    with pytest.raises(ModelError, match="does not support") as raised:
        model.load(LoadRequest(device="cpu", seed=1))
    assert (raised.value.code, "attn_implementation: auto" in raised.value.help) == ("MR456", True)
