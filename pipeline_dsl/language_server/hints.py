"""Numbers that a reader of a recipe would work out by hand, beside what they follow from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_dsl.language_server.analysis import Analysis
from pipeline_dsl.language_server.outline import Outline


@dataclass(frozen=True, slots=True)
class Hint:
    """A few words behind a place."""

    offset: int
    label: str
    tooltip: str


def hints(shape: Outline, analysis: Analysis) -> Iterator[Hint]:
    """Yield hints for the ``train`` lines of a text of which the analysis is.

    They come from the plan alone: no data is read for them, so steps are known only where a bound is written.
    """
    plan = analysis.plan
    if plan is None:
        return
    for phase in plan.phases:
        index = shape.find(("phases", phase.name, "train"))
        if index < 0:
            index = shape.find(("phases", phase.name))
        words = [w for w in (_batch(phase.train.options), _steps(phase.train.options)) if w]
        if index >= 0 and words:
            stem = shape.stems[index]
            line = shape.text.find("\n", stem.end)
            line = len(shape.text) if line < 0 else line
            end = stem.end + len(shape.text[stem.end : line].rstrip())
            tooltip = f"Of phase {phase.name}, with everything applied"
            yield Hint(end, "; ".join(words), tooltip)


def _batch(options: dict[str, object]) -> str | None:
    size, accumulated = options.get("batch_size"), options.get("grad_accum")
    if not isinstance(size, int) or not isinstance(accumulated, int):
        return None
    return f"batch {size * accumulated} = {size} × {accumulated}"


def _steps(options: dict[str, object]) -> str | None:
    most = options.get("max_steps")
    return f"{most} steps" if isinstance(most, int) and most > 0 else None
