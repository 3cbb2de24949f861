"""The sums of a training, exact over interruptions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medrecipe_plugins.trainers._randomness import Randomness

FILE = "totals.json"


@dataclass(slots=True)
class Totals:
    """Summed losses (nats) and label tokens, of the whole training and of the current epoch."""

    loss: float = 0.0
    tokens: int = 0
    epoch_loss: float = 0.0
    epoch_tokens: int = 0

    def add(self, mean: float, tokens: int) -> None:
        """Add one optimizer step."""
        self.loss += mean * tokens
        self.tokens += tokens
        self.epoch_loss += mean * tokens
        self.epoch_tokens += tokens

    def close_epoch(self) -> float:
        """Return the mean loss of the epoch and begin the next."""
        mean = self.epoch_loss / max(1, self.epoch_tokens)
        self.epoch_loss, self.epoch_tokens = 0.0, 0
        return mean

    @property
    def mean(self) -> float:
        """Mean loss per label token so far; 0 before the first."""
        return self.loss / max(1, self.tokens)

    def write(self, folder: Path) -> None:
        """Put the sums into a checkpoint."""
        (folder / FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Totals:
        """Get the sums back from a checkpoint."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))


@dataclass(slots=True)
class Step:
    """What is known of the optimizer step in progress."""

    loss: float = 0.0
    """Sum of the micro-batches' shares: the mean over the step's label tokens."""
    tokens: int = 0
    grad_norm: float = 0.0
    learning_rate: float = 0.0
    began: float = 0.0
    """``time.perf_counter`` at its beginning."""
    batches: Sequence[Any] = ()
    """Its micro-batches."""
    begun: int = 0
    """How many of them are in work or done."""
    randomness: Randomness | None = None
    """Where the random number generators stood before the first."""
