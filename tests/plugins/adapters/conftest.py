"""Stacks on very small models; adapters get random weights, so that no test has to train."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from medrecipe_plugins.adapters.lora import Lora, Options
from pipeline_dsl.api import StackLayer

PROBE = torch.tensor([[2, 40, 41, 300, 7, 8, 90, 91]])


@pytest.fixture(autouse=True)
def _known_upstream_warnings() -> Iterator[None]:
    """Stock PEFT asks transformers by an old name; only tests use stock PEFT without our filter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        yield


def lora(**options: Any) -> Lora:
    return Lora(options=Options(**({"r": 4, "alpha": 8} | options)))


def layer(name: str, role: str, folder: Path | None = None, **options: Any) -> StackLayer:
    return StackLayer(name=name, role=role, adapter=lora(**options), folder=folder)  # type: ignore[arg-type]


def logits(module: Any) -> torch.Tensor:
    module.eval()
    with torch.no_grad():
        return module(input_ids=PROBE).logits.float()


def disturb(module: Any, seed: int = 3) -> None:
    """Stand in for training: add noise to all trainable parameters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


@pytest.fixture
def stacks() -> SimpleNamespace:
    return SimpleNamespace(lora=lora, layer=layer, logits=logits, disturb=disturb)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[tuple[object, ...], Path]]:
    """A folder for the adapters of all tests, and where in it each is by what it was made of."""
    return tmp_path_factory.mktemp("adapters"), {}


@pytest.fixture
def trained(
    load_tiny: Callable[[Path], Any], tmp_path: Path, made: tuple[Path, dict[tuple[object, ...], Path]]
) -> Callable[..., Path]:
    """Return a function that makes a saved adapter on a model folder and returns the adapter's folder.

    The folder is a copy for this test: each adapter is made once.
    """
    top, known = made

    def make(
        folder: Path, name: str, below: tuple[StackLayer, ...] = (), seed: int = 3, **options: Any
    ) -> Path:
        stands_on = [(each.name, each.role, repr(each.adapter.options), _weights(each)) for each in below]  # type: ignore[attr-defined]
        key = (folder, name, *stands_on, seed, repr(lora(**options).options))
        if key not in known:
            saved = top / f"{len(known)}" / name
            model = load_tiny(folder)
            own = lora(**options)
            own.attach(model, [*below, layer(name, "train", **options)])
            disturb(model.module, seed)
            own.save(model, name, saved)
            model.close()
            known[key] = saved
        shutil.copytree(known[key], tmp_path / name, dirs_exist_ok=True)
        return tmp_path / name

    return make


def _weights(of: StackLayer) -> bytes:
    assert of.folder is not None
    return (of.folder / "adapter_model.safetensors").read_bytes()
