"""How much memory a phase took, as its record and its log line have it."""

from __future__ import annotations

from typing import Any

from pipeline_dsl.api.contracts import LanguageModel

OF = {"rss": "process", "cuda": "GPU"}
"""Whose memory each kind is."""
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP, _TEN = 1000, 9.95
Json = dict[str, Any]


class PhaseMemory:
    """What a model's process held when training began, what it held at most since it was loaded, and now."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._before = model.memory().used

    def to_json(self) -> Json:
        """Return kind and bytes, as a phase's record keeps them."""
        now = self._model.memory()
        return {"kind": now.kind, "before": self._before, "peak": now.peak, "after": now.used}


def in_words(record: object) -> str | None:
    """Return ``1.2 GB before, 1.6 GB at the peak, 1.3 GB after (process)``; None for anything else."""
    if not isinstance(record, dict):
        return None
    sizes = [record.get(name) for name in ("before", "peak", "after")]
    before, peak, after = (_size(n) if isinstance(n, int) else "?" for n in sizes)
    return f"{before} before, {peak} at the peak, {after} after ({OF.get(str(record.get('kind')), '?')})"


def _size(number: int) -> str:
    """Return bytes in the unit that leaves two digits: ``0.9 GB`` is ``900 MB``, ``1.2 GB``, ``24 GB``."""
    value, unit = float(number), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if value < _TEN else f"{value:.0f} {_UNITS[unit]}"
