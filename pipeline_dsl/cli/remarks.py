"""What is worth a line on how a phase was trained: its data, an early end, weights of an earlier step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline_dsl.cli.figures import count, counted
from pipeline_dsl.run.history import PhaseSummary

Json = dict[str, Any]


def remarks(phase: PhaseSummary) -> Iterator[str]:
    """Yield the lines of one phase; what its record does not say is left out."""
    metrics = phase.metrics or {}
    if phase.data is not None and (words := _data(phase.data)):
        yield f"data of {phase.name}: {words}"
    for stage in phase.stages:
        if isinstance(stage.get("steps"), int):
            early = f", ended early: {stage['stopped']}" if isinstance(stage.get("stopped"), str) else ""
            yield f"stage {phase.name}/{stage.get('name')}: {counted(stage['steps'], 'step')}{early}"
        if isinstance(stage.get("data"), dict) and (words := _data(stage["data"])):
            yield f"data of {phase.name}/{stage.get('name')}: {words}"
    if isinstance(metrics.get("stopped"), str):
        yield f"training of {phase.name} ended early: {metrics['stopped']}"
    if isinstance(metrics.get("kept_step"), int):
        yield f"weights of {phase.name}: those of step {count(metrics['kept_step'])}"
    if isinstance(metrics.get("micro_batch"), int):
        few = (
            f"{counted(metrics['micro_batch'], 'sample')} at once from step {metrics.get('micro_batch_step')}"
        )
        yield f"memory of {phase.name} did not suffice: {few} on, as many in an optimizer step"


def _data(data: Json) -> str:
    """Return how many samples and tokens there were, and what became of those that were too long."""
    numbers = {name: n for name, n in data.items() if isinstance(n, int)}
    if not {"samples", "tokens", "longest"} <= numbers.keys():
        return ""
    words = f"{counted(numbers['samples'], 'sample')} of {counted(numbers['tokens'], 'token')}"
    words += f", the longest of {count(numbers['longest'])}"
    lost = {"dropped": numbers.get("dropped", 0), "given shorter prompts": numbers.get("shortened", 0)}
    told = [f"{count(n)} {'was' if n == 1 else 'were'} {what}" for what, n in lost.items() if n]
    return "; ".join([words, *told])
