"""One very small Gemma 3, built once a session; each test that loads it gets it fresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.api import LoadRequest

TINY: dict[str, Any] = {
    "layers": 2,
    "width": 64,
    "heads": 4,
    "kv_heads": 2,
    "mlp_width": 128,
    "vocabulary": 1024,
    "max_positions": 256,
}


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Very small models are fastest on one thread, most of all on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_folder_of(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Callable[..., Path]:
    """Return a function from an architecture to the folder of a very small model of it, built at most once."""
    from medrecipe_plugins.models import _embedded
    from medrecipe_plugins.models.embedded import Options

    built: dict[tuple[str, int], Path] = {}

    def folder_of(architecture: str, steps: int = 2) -> Path:
        if (architecture, steps) not in built:
            folder = tmp_path_factory.mktemp(f"tiny-{architecture}")
            options = Options(architecture=architecture, pretraining_steps=steps, **TINY)
            _embedded.build(options, folder, lambda _: None)
            built[architecture, steps] = folder
        return built[architecture, steps]

    return folder_of


@pytest.fixture(scope="session")
def folder_of(tiny_folder_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """``tiny_folder_of`` that knows ``untied llama`` too: one whose output layer has rows of its own."""
    untied = tmp_path_factory.mktemp("untied")

    def of(architecture: str) -> Path:
        if architecture != "untied llama":
            return tiny_folder_of(architecture)
        if not (untied / "config.json").is_file():
            _untie(tiny_folder_of("llama"), untied)
        return untied

    return of


def _untie(folder: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    module = AutoModelForCausalLM.from_pretrained(folder)
    module.config.tie_word_embeddings = False
    module.lm_head.weight = torch.nn.Parameter(module.lm_head.weight.detach().flip(0).clone())
    module.save_pretrained(target)
    AutoTokenizer.from_pretrained(folder).save_pretrained(target)


@pytest.fixture(scope="session")
def tiny_model_folder(tiny_folder_of: Callable[..., Path]) -> Path:
    """A local folder with a very small, shortly pretrained Gemma 3."""
    return tiny_folder_of("gemma3", 24)


@pytest.fixture
def tiny_model(tiny_model_folder: Path) -> Any:
    """A freshly loaded TorchCausalLM of it, on the CPU in float32."""
    return load_folder(tiny_model_folder)


@pytest.fixture
def load_tiny() -> Callable[[Path], Any]:
    """Return a function that loads a model folder afresh."""
    return load_folder


def load_folder(folder: Path, seed: int = 1) -> Any:
    from medrecipe_plugins.models.causal_lm import CausalLM, Options

    model = CausalLM(options=Options(folder=str(folder), dtype="float32"))
    return model.load(LoadRequest(device="cpu", seed=seed))
