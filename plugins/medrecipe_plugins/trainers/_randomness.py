"""Where all random number generators of a training stand: dropout draws from them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

TENSORS = "random.safetensors"
NUMBERS = "random.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomness:
    """The states of torch's, numpy's and Python's own generators at one moment."""

    cpu: torch.Tensor
    cuda: tuple[torch.Tensor, ...]
    """Of each GPU in its order; none where CUDA is not in use."""
    numpy: tuple[str, list[int], int, int, float]
    python: tuple[int, tuple[int, ...], float | None]

    @classmethod
    def now(cls) -> Randomness:
        """The states as they are."""
        numpy: Any = np.random.get_state(legacy=True)  # noqa: NPY002 - what libraries draw from
        return cls(
            cpu=torch.get_rng_state(),
            cuda=tuple(torch.cuda.get_rng_state_all()) if torch.cuda.is_initialized() else (),
            numpy=(str(numpy[0]), numpy[1].tolist(), int(numpy[2]), int(numpy[3]), float(numpy[4])),
            python=random.getstate(),
        )

    def restore(self) -> None:
        """Put the generators back to where they stood; GPUs that are not here are left out."""
        torch.set_rng_state(self.cpu)
        for device, state in enumerate(self.cuda[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, device)
        kind, keys, place, has_gauss, gauss = self.numpy
        words = np.array(keys, dtype=np.uint32)
        np.random.set_state((kind, words, place, has_gauss, gauss))  # noqa: NPY002 - as above
        version, numbers, normal = self.python
        random.setstate((version, tuple(numbers), normal))

    def write(self, folder: Path) -> None:
        """Put the states into a checkpoint."""
        tensors = {"cpu": self.cpu, **{f"cuda.{n}": state for n, state in enumerate(self.cuda)}}
        save_file(tensors, folder / TENSORS)
        text = json.dumps({"numpy": self.numpy, "python": self.python})
        (folder / NUMBERS).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Randomness:
        """Get the states back from a checkpoint."""
        tensors: dict[str, torch.Tensor] = load_file(folder / TENSORS)
        numbers: dict[str, Any] = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        cuda = tuple(tensors[f"cuda.{n}"] for n in range(len(tensors) - 1))
        return cls(
            cpu=tensors["cpu"], cuda=cuda, numpy=tuple(numbers["numpy"]), python=tuple(numbers["python"])
        )
