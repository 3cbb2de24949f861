"""``early_stop``: ends a phase's training when a figure no longer gets better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline_dsl.api import Controls, Provider, hookimpl, option

if TYPE_CHECKING:
    from pipeline_dsl.api.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Stop after some looks in a row without a better value."""

    monitor: str = option(doc="name of the figure: `loss`, a task, `task.detail`")
    patience: int = option(3, ge=1, doc="looks without a better value after which training ends")
    min_delta: float = option(0.0, ge=0, doc="by how much a value has to be better to count")
    mode: Literal["min", "max"] = option("min", doc="whether smaller or larger is better")


@dataclass(slots=True)
class EarlyStop:
    """Counts looks without a better value, phase by phase. A look is one call; bind it to an evaluation."""

    options: Options
    _phase: str | None = field(default=None, init=False)
    _best: float | None = field(default=None, init=False)
    _waited: int = field(default=0, init=False)

    def act(self, event: Event, values: Mapping[str, float], controls: Controls) -> None:
        """Look at the newest value; a figure that is not there yet is no look."""
        phase, value = getattr(event, "phase", None), values.get(self.options.monitor)
        if phase != self._phase:
            self._phase, self._best, self._waited = phase, None, 0
        if value is None:
            return
        if self._best is None or self._is_better(value, self._best):
            self._best, self._waited = value, 0
            return
        self._waited += 1
        if self._waited >= self.options.patience:
            monitor = self.options.monitor
            controls.stop(f"{monitor} did not get better than {self._best:.4g} in {self._waited} looks")

    def _is_better(self, value: float, best: float) -> bool:
        gain = best - value if self.options.mode == "min" else value - best
        return gain > self.options.min_delta


@hookimpl
def medrecipe_actions() -> Sequence[Provider]:
    """Offer the action."""
    return [
        Provider(
            name="early_stop", summary="end training when a figure no longer gets better", factory=EarlyStop,
            options=Options,
        )
    ]  # fmt: skip
