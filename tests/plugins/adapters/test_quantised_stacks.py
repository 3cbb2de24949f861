"""Stacks on bases of 4 and 8 bits: real small trainings on a CPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from medrecipe_plugins.models._quiet import quiet_libraries
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from medrecipe_plugins.trainers.trainer import HuggingFaceTrainer
from medrecipe_plugins.trainers.trainer import Options as TrainerOptions
from pipeline_dsl.api import Control, GuardError, LoadRequest, ModelError, Need, Prepared, Sample, TrainJob

ARCHITECTURES = ["gemma3", "llama", "phi3", "phi"]
KINDS = ["nf4", "int8"]
IDS = torch.randint(5, 300, (4, 24), generator=torch.Generator().manual_seed(1))
SAMPLES = [Sample(prompt=f"word question: {n}\n", completion="심근경색", id=str(n)) for n in range(8)]


@dataclass(frozen=True)
class Same:
    """The same samples every epoch."""

    items: Sequence[Prepared]

    def __len__(self) -> int:
        return len(self.items)

    def epoch(self, number: int) -> Sequence[Prepared]:
        return self.items


def load(folder, kind: str | None, **options: Any) -> Any:
    base = CausalLM(options=Options(folder=str(folder), dtype="float32", quantization=kind, **options))
    return base.load(LoadRequest(device="cpu", seed=1))


def train(model: Any, folder, *, watch: Any = None, **options: Any) -> list[float]:
    """Train what is trainable and return the loss of each step."""
    settings = {"max_steps": 8, "batch_size": 8, "learning_rate": 1e-2, "group_by_length": False} | options
    trainer, losses = HuggingFaceTrainer(TrainerOptions(**settings)), []

    def fire(event: Any) -> Control:
        if event.name == "iteration_completed":
            losses.append(event.loss)
            if watch is not None and event.step == 2:
                watch()
        return Control()

    rows = [row for row in trainer.prepare(model, SAMPLES).rows if row is not None]
    trainer.train(
        TrainJob(
            phase="p", model=model, samples=Same(rows), seed=1, folder=folder, resume=False,
            fire=fire, say=lambda _: None,
        )
    )  # fmt: skip
    return losses


def gradients(module: Any, *, checkpointing: bool = False) -> dict[str, torch.Tensor]:
    """Return the gradients of one batch by parameter; in training mode, as a trainer takes them."""
    module.train()
    module.zero_grad()
    if checkpointing:
        enable = getattr(module, "activation_checkpointing_enable", module.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
    module(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.requires_grad}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def logits(module: Any) -> torch.Tensor:
    with torch.no_grad():
        return module(input_ids=IDS, use_cache=False).logits


def stock(folder, kind: str) -> Any:
    """The base as anybody loads it."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    config = BitsAndBytesConfig(**(four if kind == "nf4" else {"load_in_8bit": True}))
    with quiet_libraries():
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, quantization_config=config, device_map={"": "cpu"}
        )


@pytest.fixture
def first(tmp_path, stacks):
    """Return a function that makes a saved adapter on a quantised base."""

    def make(folder, kind: str, **options: Any):
        model = load(folder, kind)
        own = stacks.lora(dropout=0.0, **options)
        own.attach(model, [stacks.layer("first", "train", dropout=0.0, **options)])
        stacks.disturb(model.module)
        own.save(model, "first", tmp_path / "first")
        return tmp_path / "first"

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_new_adapter_learns_above_a_frozen_one_and_is_read_by_stock_peft(
    tiny_folder_of, stacks, first, tmp_path, architecture, kind
) -> None:
    folder = tiny_folder_of(architecture)
    below = first(folder, kind)
    model, lora = load(folder, kind), stacks.lora(dropout=0.0)
    layers = [stacks.layer("first", "freeze", below), stacks.layer("second", "train", dropout=0.0)]
    report = lora.attach(model, layers)
    assert {name.split(".")[-2] for name in report.trainable} == {"second"}
    losses = train(model, tmp_path / "c", watch=lambda: model.observe(SAMPLES[:2], Need.TOKEN_LOSSES))
    assert losses[-1] < 0.98 * losses[0]
    lora.save(model, "second", tmp_path / "second")
    other = PeftModel.from_pretrained(stock(folder, kind), below, adapter_name="first")
    other.load_adapter(tmp_path / "second", adapter_name="second")
    other.base_model.set_adapter(["first", "second"])
    if kind == "int8":  # 8-bit products round activations in eval mode; stock PEFT packs 4 bits anew in it
        model.module.eval()
        other.eval()
    else:
        model.module.train()
        other.train()
    assert torch.equal(logits(model.module), logits(other))
    again = load(folder, kind)
    lora.attach(
        again,
        [stacks.layer("first", "freeze", below), stacks.layer("second", "freeze", tmp_path / "second")],
    )
    again.module.train(model.module.training)
    assert torch.equal(logits(again.module), logits(model.module))


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradient_checkpointing_gives_the_gradients_of_training_without_it(
    tiny_folder_of, stacks, architecture, kind
) -> None:
    def found(*, checkpointing: bool) -> dict[str, torch.Tensor]:
        model = load(tiny_folder_of(architecture), kind)
        stacks.lora(dropout=0.0).attach(
            model, [stacks.layer("new", "train", dropout=0.0, target_modules="all-linear")]
        )
        stacks.disturb(model.module)
        return gradients(model.module, checkpointing=checkpointing)

    plain, again = found(checkpointing=False), found(checkpointing=True)
    assert plain.keys() == again.keys()
    assert all(bool(g.any()) for g in plain.values())
    assert all(torch.allclose(again[name], g, atol=1e-6, rtol=1e-5) for name, g in plain.items())


def test_checkpointed_training_is_the_training_without_it(tiny_model_folder, stacks, tmp_path) -> None:
    found = []
    for checkpointing in (False, True):
        model = load(tiny_model_folder, "nf4")
        stacks.lora(dropout=0.1).attach(model, [stacks.layer("new", "train", dropout=0.1)])
        found.append(
            train(model, tmp_path / str(checkpointing), max_steps=3, gradient_checkpointing=checkpointing)
        )
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_evaluation_within_training_leaves_the_gradients_as_they_are(
    tiny_folder_of, stacks, architecture, kind
) -> None:
    model = load(tiny_folder_of(architecture), kind)
    stacks.lora(dropout=0.0).attach(model, [stacks.layer("new", "train", dropout=0.0)])
    stacks.disturb(model.module)
    before = gradients(model.module)
    model.observe(SAMPLES, Need.TOKEN_LOSSES)
    assert same(gradients(model.module), before)


@pytest.mark.parametrize("part", ["packed", "scale", "nested scale", "offset", "row scale"])
def test_a_base_that_changed_is_found_whatever_changed_in_it(
    tiny_model_folder, stacks, tmp_path, part
) -> None:
    model = load(tiny_model_folder, "int8" if part == "row scale" else "nf4")
    stacks.lora().attach(model, [stacks.layer("new", "train")])
    stacks.disturb(model.module)
    model.observe(SAMPLES, Need.TOKEN_LOSSES)
    stacks.lora().save(model, "new", tmp_path / "sound")
    layer = model.module.get_base_model().model.layers[0].mlp.up_proj
    with torch.no_grad():
        if part == "packed":
            layer.weight.data[:2] = layer.weight.data[:2].flip(0)
            assert not torch.equal(layer.weight.data[:1], layer.weight.data[1:2])
        elif part == "row scale":
            layer.state.SCB[3] *= 1.001
        else:
            state = layer.weight.quant_state
            target = {"scale": state.absmax, "nested scale": state.state2.absmax, "offset": state.offset}[
                part
            ]
            target.add_(1 if part == "scale" else 1e-4)
    with pytest.raises(GuardError) as caught:
        stacks.lora().save(model, "new", tmp_path / "saved")
    assert caught.value.code == "MR482"
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_counts_what_the_base_stands_for(tiny_model_folder, stacks, kind) -> None:
    model = load(tiny_model_folder, kind)
    report = stacks.lora().attach(model, [stacks.layer("new", "train")])
    shape = CausalLM(options=Options(folder=str(tiny_model_folder), quantization=kind)).shape()
    assert report.trainable_parameters == stacks.lora().count(shape)
    assert report.total_parameters == shape.parameters + report.trainable_parameters


@pytest.mark.parametrize("kind", KINDS)
def test_53_nothing_is_merged_into_a_quantised_base_evaluated_or_not(
    tiny_model_folder, stacks, first, kind
) -> None:
    below = first(tiny_model_folder, kind)
    for evaluated in (False, True):
        model = load(tiny_model_folder, kind)
        if evaluated:
            model.observe(SAMPLES, Need.TOKEN_LOSSES)
        with pytest.raises(ModelError) as caught:
            stacks.lora().attach(model, [stacks.layer("first", "merge", below)])
        assert caught.value.code == "MR464"
        assert "freeze" in caught.value.help


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_first_weights_are_not_taken_out_of_a_quantised_base(tiny_model_folder, stacks, init) -> None:
    with pytest.raises(ModelError) as caught:
        stacks.lora().attach(load(tiny_model_folder, "nf4"), [stacks.layer("new", "train", init=init)])
    assert (caught.value.code, caught.value.exit_code) == ("MR478", 4)


def test_dora_learns_on_4_bits(tiny_model_folder, stacks, tmp_path) -> None:
    model = load(tiny_model_folder, "nf4")
    stacks.lora(use_dora=True).attach(model, [stacks.layer("new", "train", use_dora=True)])
    losses = train(model, tmp_path / "c", watch=lambda: model.observe(SAMPLES[:1], Need.TOKEN_LOSSES))
    assert losses[-1] < 0.98 * losses[0]
    stacks.lora(use_dora=True).save(model, "new", tmp_path / "new")
    again = load(tiny_model_folder, "nf4")
    stacks.lora(use_dora=True).attach(again, [stacks.layer("new", "freeze", tmp_path / "new", use_dora=True)])
    assert torch.equal(logits(again.module.eval()), logits(model.module.eval()))


def test_dora_on_8_bits_is_refused_on_a_cpu_where_peft_loses_the_scales(tiny_model_folder, stacks) -> None:
    with pytest.raises(ModelError) as caught:
        stacks.lora().attach(load(tiny_model_folder, "int8"), [stacks.layer("new", "train", use_dora=True)])
    assert (caught.value.code, caught.value.exit_code) == ("MR479", 4)
