"""``lora_sft`` learns what ``trainer`` learns, in packs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.models._packed_attention import by_calls
from medrecipe_plugins.trainers import _packed_training, lora_sft, trainer
from medrecipe_plugins.trainers._kernels import Kernels
from pipeline_dsl.api import Control, Need, Prepared, Sample, StackLayer, TrainJob, TrainOutcome
from pipeline_dsl.testing import TrainerContract

ARCHITECTURES = ["gemma3", "llama", "phi3", "phi"]
SETTINGS: dict[str, Any] = {
    "batch_size": 2, "grad_accum": 3, "max_steps": 5, "learning_rate": 5e-3, "max_length": 128,
    "group_by_length": False, "max_grad_norm": 0.5, "weight_decay": 0.01,
}  # fmt: skip
SHOT = "question: which organ pumps blood? answer: the heart\n"
SAMPLES = [
    Sample(prompt=SHOT + f"question {n}{'!' * (n * 3 % 11)}\n", completion=f"answer {n * 7}", id=f"row:{n}")
    for n in range(16)
]


class InOrder:
    """The same samples every epoch."""

    def __init__(self, items: Sequence[Prepared]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def epoch(self, number: int) -> Sequence[Prepared]:
        return self.items


class Run:
    """Trains a freshly loaded small model with an adapter, or two of which one is frozen."""

    def __init__(self, load: Callable[[Path], Any], folder: Path) -> None:
        self.load, self.folder = load, folder
        self.said: list[str] = []
        self.steps: list[tuple[float, float, int]] = []

    def __call__(
        self, architecture: Path, provider: Any, *, dropout: float = 0.0, at: str = "run", resume: bool = False,
        stop: int | None = None, rows: Sequence[Sample] = SAMPLES, watch: Any = None, **options: Any,
    ) -> tuple[dict[str, torch.Tensor], TrainOutcome]:  # fmt: skip
        model = self.load(architecture)
        own = Lora(options=LoraOptions(r=4, alpha=8, dropout=dropout, target_modules="all-linear"))
        own.attach(model, [StackLayer(name="a", role="train", adapter=own, folder=None)])
        work = provider.factory(provider.options(**(SETTINGS | options)))
        self.steps = []

        def fire(event: Any) -> Control:
            if event.name == "iteration_completed":
                self.steps.append((event.loss, event.grad_norm, event.label_tokens))
                if watch is not None:
                    watch(model)
                return Control(stop=event.step == stop, checkpoint=event.step == stop)
            return Control()

        prepared = [row for row in work.prepare(model, rows).rows if row is not None]
        outcome = work.train(
            TrainJob(
                phase="p", model=model, samples=InOrder(prepared), seed=3, folder=self.folder / at,
                resume=resume, fire=fire, say=self.said.append,
            )
        )  # fmt: skip
        return {n: p.detach().clone() for n, p in model.module.named_parameters() if p.requires_grad}, outcome


@pytest.fixture
def run(load_tiny, tmp_path) -> Run:
    return Run(load_tiny, tmp_path)


PLAIN, PACKED = trainer.medrecipe_trainers()[0], lora_sft.medrecipe_trainers()[0]


class TestContract(TrainerContract):
    provider = PACKED

    @pytest.fixture(autouse=True)
    def _given(self, handle, llama):
        self._model = handle(llama())

    def model(self):
        return self._model


@pytest.mark.parametrize(
    ("architecture", "loss"), [*((a, "completion") for a in ARCHITECTURES), ("gemma3", "all")]
)
def test_it_learns_what_the_plain_trainer_learns(run, tiny_folder_of, architecture, loss):
    folder = tiny_folder_of(architecture)
    expected, plain = run(folder, PLAIN, at="plain", loss=loss)
    steps = run.steps
    found, packed = run(folder, PACKED, at="packed", loss=loss, max_tokens=90)
    assert run.said == []
    for own, other in zip(run.steps, steps, strict=True):
        assert own == pytest.approx(other, rel=1e-4)
    assert (packed.steps, packed.label_tokens) == (plain.steps, plain.label_tokens)
    gap = sum(float((found[n] - expected[n]).square().sum()) for n in expected)
    moved = sum(float(t.square().sum()) for t in expected.values())
    assert (gap / moved) ** 0.5 <= 1e-4


def test_an_interrupted_training_goes_on_to_the_same_bytes(run, tiny_folder_of):
    folder = tiny_folder_of("gemma3")
    options = {"dropout": 0.2, "max_tokens": 90, "save_steps": 1}
    expected, whole = run(folder, PACKED, at="whole", **options)
    steps = run.steps
    run(folder, PACKED, at="parts", stop=2, **options)
    found, outcome = run(folder, PACKED, at="parts", resume=True, **options)
    assert run.steps == steps[2:]
    assert (outcome.loss, outcome.steps) == (whole.loss, whole.steps)
    assert all(torch.equal(found[n], tensor) for n, tensor in expected.items())


def test_evaluations_on_the_way_see_the_model_as_it_is_and_change_nothing(run, tiny_folder_of):
    folder, seen = tiny_folder_of("gemma3"), []

    def look(model):
        seen.append(model.observe(SAMPLES[:2], Need.TOKEN_LOSSES)[0].nll)
        seen.append(model.observe(SAMPLES[:1], Need.COMPLETIONS, max_new_tokens=3)[0].text)

    expected, _ = run(folder, PACKED, at="alone", dropout=0.1)
    found, _ = run(folder, PACKED, at="watched", dropout=0.1, watch=look)
    assert all(torch.equal(found[n], tensor) for n, tensor in expected.items())
    assert seen[0] > seen[-2]


def test_gradient_checkpointing_changes_no_weight(run, tiny_folder_of):
    folder = tiny_folder_of("llama")
    expected, _ = run(folder, PACKED, at="kept", dropout=0.1)
    found, _ = run(folder, PACKED, at="again", dropout=0.1, gradient_checkpointing=True)
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, rtol=1e-5, atol=1e-7)


def test_where_packs_are_not_right_it_says_so_and_trains_as_the_plain_trainer(
    run, tiny_folder_of, monkeypatch
):
    folder = tiny_folder_of("llama")
    expected, _ = run(folder, PLAIN, at="plain", dropout=0.1)
    monkeypatch.setattr(
        "medrecipe_plugins.trainers._packed_training.why_not", lambda *_: "its attention caps logits"
    )
    found, _ = run(folder, PACKED, at="packed", dropout=0.1)
    assert "its attention caps logits" in run.said[0]
    assert all(torch.equal(found[n], tensor) for n, tensor in expected.items())


def test_memory_that_does_not_suffice_makes_packs_smaller_and_no_other_step(run, tiny_folder_of, monkeypatch):
    from medrecipe_plugins.trainers._fast_step import FastStep

    folder = tiny_folder_of("llama")
    expected, _ = run(folder, PACKED, at="whole")
    own = FastStep.loss

    def tight(self, pack):
        if len(pack.samples) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(self, pack)

    monkeypatch.setattr(FastStep, "loss", tight)
    found, outcome = run(folder, PACKED, at="tight")
    assert outcome.micro_batch == 1
    assert run.said
    gap = sum(float((found[n] - expected[n]).square().sum()) for n in expected)
    assert (gap / sum(float(t.square().sum()) for t in expected.values())) ** 0.5 <= 1e-4


def test_kernels_are_chosen_by_the_first_step_and_change_nothing_that_is_learned(
    run, tiny_folder_of, monkeypatch
):
    folder = tiny_folder_of("llama")
    expected, _ = run(folder, PACKED, at="plain", dropout=0.2)
    asked: list[tuple[str, list[int]]] = []
    computed: list[int] = []

    def counted(query, *arguments, **named):
        computed.append(query.shape[2])
        return by_calls(query, *arguments, **named)

    before: list[object] = []

    def chosen(module, device, packs, say, earlier):
        before.append(earlier)
        asked.append((device, [len(pack.samples) for pack in packs]))
        say(f"flex attention is used: {torch.rand(()):.0%}")
        return Kernels(attention=counted)

    monkeypatch.setattr(_packed_training, "choose", chosen)
    found, _ = run(folder, PACKED, at="chosen", dropout=0.2)
    assert asked == [("cpu", [6, 3])], "a step, and half of it"
    assert run.said[-1].startswith("p: flex attention is used: ")
    assert computed
    assert all(torch.equal(found[name], expected[name]) for name in expected)

    run(folder, PACKED, at="torch", gpu_kernels="torch")
    assert len(asked) == 1

    run(folder, PACKED, at="chosen", dropout=0.2, resume=True)
    assert before == [None, {"attention": True, "norm": False, "product": False}]
