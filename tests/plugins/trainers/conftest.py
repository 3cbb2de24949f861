"""A random two-layer Llama with LoRA behind the smallest handle that a trainer needs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from medrecipe_plugins.trainers.trainer import HuggingFaceTrainer, Options
from pipeline_dsl.api import Control, Preparation, Prepared, Sample, TrainJob, TrainOutcome, events

BEGIN, END, PAD, FIRST = 0, 1, 1, 2
"""Padding is the end mark on purpose: masks by id would hide it."""


class Bytes:
    """A tokenizer of bytes."""

    bos_token_id = BEGIN
    eos_token_id = END
    pad_token_id = PAD


@dataclass
class Handle:
    """What a trainer sees of a model."""

    module: Any
    tokenizer: Any = field(default_factory=Bytes)
    device: str = "cpu"
    dtype: str = "float32"

    def encode(self, sample: Sample) -> tuple[list[int], int]:
        prompt = [BEGIN, *(FIRST + byte for byte in sample.prompt.encode())]
        completion = [FIRST + byte for byte in sample.completion.encode()]
        return [*prompt, *completion, END], len(prompt)


@dataclass(frozen=True)
class Turning:
    """The same samples every epoch, turned by one place from epoch to epoch."""

    items: Sequence[Prepared]

    def __len__(self) -> int:
        return len(self.items)

    def epoch(self, number: int) -> Sequence[Prepared]:
        turn = number % len(self.items)
        return [*self.items[turn:], *self.items[:turn]]


@dataclass(frozen=True)
class Circle:
    """A stream: the same samples over and over, every seventh left out. A position counts those, too."""

    items: Sequence[Prepared]

    def since(self, position: int) -> Iterator[tuple[int, Prepared]]:
        for at in count(position):
            if at % 7 != 3:
                yield at + 1, self.items[at % len(self.items)]


@dataclass
class Recorder:
    """Remembers what was fired and answers as it is told."""

    answers: Mapping[tuple[str, int], Control] = field(default_factory=dict)
    fired: list[events.Event] = field(default_factory=list)

    def __call__(self, event: events.Event) -> Control:
        self.fired.append(event)
        return self.answers.get((event.name, getattr(event, "step", -1)), Control())

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.fired]

    def of(self, name: str) -> list[Any]:
        return [event for event in self.fired if event.name == name]


def tiny_llama(*, adapters: Sequence[str] = ("new",), dropout: float = 0.1, seed: int = 0) -> Any:
    """A random Llama with LoRA adapters, of which only the last is trained."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=FIRST + 256, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=BEGIN, eos_token_id=END, pad_token_id=PAD,
    )  # fmt: skip
    lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=dropout, target_modules=["q_proj", "v_proj"])
    with warnings.catch_warnings():  # PEFT 0.21 asks a name that transformers 5.23 calls deprecated
        warnings.simplefilter("ignore", FutureWarning)
        module = get_peft_model(LlamaForCausalLM(config), lora, adapter_name=adapters[0])
    for name in adapters[1:]:
        module.add_adapter(name, lora)
    module.base_model.set_adapter(list(adapters))
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(f".{adapters[-1]}." in name)
    return module


def corpus(size: int = 10) -> list[Sample]:
    """Short questions of different lengths."""
    return [
        Sample(prompt=f"question {n}{'!' * (n * 3 % 11)}", completion=f"answer {n * 7}", id=f"row:{n}")
        for n in range(size)
    ]


@dataclass
class Bench:
    """Runs trainings in one temporary folder; they say nothing unless they are expected to."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def prepare(
        self,
        module: Any,
        samples: Sequence[Sample],
        handle: Callable[[Any], Any] = Handle,
        **options: Any,
    ) -> Preparation:
        return HuggingFaceTrainer(Options(**options)).prepare(handle(module), samples)

    def train(
        self,
        module: Any,
        *,
        samples: Sequence[Sample] | None = None,
        reading: Callable[[Sequence[Prepared]], Any] = Turning,
        max_steps_instead: int | None = None,
        answers: Mapping[tuple[str, int], Control] | None = None,
        resume: bool = False,
        folder: str = "train",
        seed: int = 7,
        handle: Callable[[Any], Any] = Handle,
        fire: Any = None,
        talks: bool = False,
        rehearse: bool | None = None,
        **options: Any,
    ) -> tuple[TrainOutcome, Recorder]:
        from medrecipe_plugins.trainers import _loop

        recorder = fire or Recorder(answers or {})
        settings = {"batch_size": 2, "grad_accum": 2, "learning_rate": 1e-2, "epochs": 2.0} | options
        trainer, model = HuggingFaceTrainer(Options(**settings)), handle(module)
        rows = trainer.prepare(model, corpus() if samples is None else samples).rows
        job = TrainJob(
            phase="first", model=model, samples=reading([row for row in rows if row is not None]), seed=seed,
            folder=self.folder / folder, resume=resume, fire=recorder,
            say=self.said.append if talks else _silent, max_steps=max_steps_instead,
        )  # fmt: skip
        if rehearse is None:
            return trainer.train(job), recorder
        return _loop.run(job, trainer.options, rehearse=rehearse), recorder


def _silent(line: str) -> None:
    raise AssertionError(line)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on several threads, and on a busy machine much slower."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def bench_in() -> type[Bench]:
    """Makes a bench in a folder, for trainings that several tests start from."""
    return Bench


@pytest.fixture(scope="session")
def llama() -> Callable[..., Any]:
    """Makes the same random model each time it is called with the same arguments."""
    return tiny_llama


@pytest.fixture
def circle() -> type[Circle]:
    """Makes a stream of prepared samples."""
    return Circle


def trainable(module: Any) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}


@pytest.fixture
def weights() -> Callable[[Any], dict[str, Any]]:
    """Copies the trainable weights of a module."""
    return trainable


@pytest.fixture
def same() -> Callable[[Any, Any], bool]:
    """Says whether two modules have the same trainable weights, bit for bit."""
    import torch

    def compare(one: Any, other: Any) -> bool:
        ours, theirs = trainable(one), trainable(other)
        return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)

    return compare


@pytest.fixture
def handle() -> type[Handle]:
    return Handle
