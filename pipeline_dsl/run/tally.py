"""The counts of a phase's hooks on disk: a resumed training goes on counting where its checkpoint stands.

``hooks.jsonl`` has a line for every step after which something that hooks go by was another: how often an
event came, how often in a row a condition held, what actions remember, the newest scores. A line is there
before the trainer can write a checkpoint of its step.
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

    def __init__(self, folder: Path, first: int = 0) -> None:
        self._path = folder / FILE
        self._first = first
        self._last: str | None = None

    def keep(self, step: int, state: Json) -> None:
        """Write what is the case after a step, unless nothing changed."""
        text = _text(state)
        if text != self._last:
            atomic.append_line(self._path, _text({"step": step, **state}))
            self._last = text

    def go_back(self, step: int, start: Json) -> Json:
        """Forget what came after a step; return what was the case after it, or ``start``."""
        lines = [line for line in self._lines() if line["step"] <= step] if step > self._first else []
        if lines or self._path.exists():
            atomic.write_text(self._path, "".join(_text(line) + "\n" for line in lines))
        found = {k: v for k, v in lines[-1].items() if k != "step"} if lines else start
        self._last = _text(found)
        return found

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


def _text(state: Json) -> str:
    """Return it as JSON; texts are compared, for of two numbers that are none neither is the other."""
    return json.dumps(state, ensure_ascii=False)
