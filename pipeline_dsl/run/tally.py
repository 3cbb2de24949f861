"""The counts of a phase's hooks on disk: a resumed training goes on counting where its checkpoint stands.

``hooks.jsonl`` has a line for every step after which something that hooks go by was another: how often an
event came, how often in a row a condition held, the newest scores. A line is there before the trainer can
write a checkpoint of its step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline_dsl.run import atomic

FILE = "hooks.jsonl"
Json = dict[str, Any]


class Tally:
    """What hooks go by, step by step."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._last: Json | None = None

    def keep(self, step: int, state: Json) -> None:
        """Write what is the case after a step, unless nothing changed."""
        if self._last is None or state != self._last:
            atomic.append_line(self._path, json.dumps({"step": step, **state}, ensure_ascii=False))
            self._last = state

    def go_back(self, step: int, start: Json) -> Json:
        """Forget what came after a step; return what was the case after it, or ``start``."""
        lines = [line for line in self._lines() if line["step"] <= step] if step else []
        if lines or self._path.exists():
            atomic.write_text(
                self._path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            )
        self._last = {k: v for k, v in lines[-1].items() if k != "step"} if lines else start
        return self._last

    def _lines(self) -> list[Json]:
        """The lines that are whole."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return []
        found = []
        for line in text.splitlines():
            try:
                data = json.loads(line)
            except ValueError:
                continue
            if isinstance(data, dict) and isinstance(data.get("step"), int):
                found.append(data)
        return found
