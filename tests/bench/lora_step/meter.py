"""What one setting costs in one process."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Meter:
    """Counts CPU seconds, tokens and losses of optimizer steps; the first step warms up."""

    losses: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    """Those of samples, without padding."""
    loaded_mb: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)
    _began: float = 0.0
    _ended: float = 0.0

    def begin(self) -> None:
        """Say that the model is there and training begins."""
        status = Path("/proc/self/status").read_text("ascii")
        self.loaded_mb = next(int(x.split()[1]) for x in status.splitlines() if "VmRSS" in x) * 1024 / 1e6

    def stepped(self) -> None:
        """Say that an optimizer step is done."""
        now = time.process_time()
        self._ended = now
        if not self._began:
            self._began = now

    def report(self) -> dict[str, Any]:
        """Return what was counted, and the peak of the process: interpreter and libraries included.

        Rates are those of all samples' tokens: packing puts long samples first, so that its last steps have more
        labels a token than its first.
        """
        cpu = self._ended - self._began
        cpu_a_token = cpu / sum(self.tokens[1:])
        whole = sum(loss * n for loss, n in zip(self.losses, self.labels, strict=True)) / sum(self.labels)
        return {
            "cpu_s": cpu,
            "cpu_s_a_token": cpu_a_token,
            "labels_a_cpu_s": sum(self.labels) / sum(self.tokens) / cpu_a_token,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
            "loaded_mb": self.loaded_mb,
            "loss": whole,
            "first_loss": self.losses[0],
            **self.extra,
        }
