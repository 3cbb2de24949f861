"""What was scored so far in a run, and the words for what is scored next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline_dsl.api.events import EvaluationCompleted
from pipeline_dsl.api.records import Score
from pipeline_dsl.cli.comparison import Change, Measured, change
from pipeline_dsl.cli.doubts import BASE, Doubts
from pipeline_dsl.cli.figures import count, figure, interval
from pipeline_dsl.cli.terminal import Paint, cells, padded

_INDENT = "  "
_WIDEST_SCORE = len("0.60 [0.52, 0.67]")
_WORDS = {
    Change.NONE: "as the base",
    Change.BETTER: "better (base {})",
    Change.WORSE: "worse (base {})",
    Change.UNCLEAR: "no clear change (base {})",
}


class Scored:
    """Remembers scores and puts new ones into words.

    Args:
        tasks: names of the run's tasks, which decide how wide their column is.
        paint: colours, or none.
    """

    def __init__(self, tasks: Sequence[str], paint: Paint) -> None:
        self._width = max(map(cells, tasks), default=0)
        self._paint = paint
        self._doubts = Doubts(paint)
        self._base: dict[str, Score] = {}
        self._best: dict[str, tuple[str, Score]] = {}

    def row(self, event: EvaluationCompleted) -> list[str]:
        """A task on the base or after a phase: its score and what became of it."""
        remarks = [f"n {count(event.score.n)}"] if event.phase == BASE else self._changes(event)
        beside, below = self._doubts.words(event)
        text = ", ".join([*remarks, *([beside] if beside else [])])
        self._keep(event)
        task, shown = padded(event.task, self._width), padded(_figures(event.score), _WIDEST_SCORE)
        line = f"{_INDENT}{task}  {shown}  {text}".rstrip()
        return [line, f"{_INDENT * 2}{below}"] if below else [line]

    def scoring(self, found: Sequence[EvaluationCompleted]) -> list[str]:
        """Tasks that were scored together in training: one line, and doubts that were not told yet."""
        parts, lines = [], []
        for event in found:
            beside, below = self._doubts.words(event)
            parts.append(f"{event.task} {self._coloured(event)}{f' ({beside})' if beside else ''}")
            lines += [f"{_INDENT * 2}{event.task} {below}"] if below else []
        return [f"{_INDENT}step {found[0].step}: {', '.join(parts)}", *lines]

    def _changes(self, event: EvaluationCompleted) -> list[str]:
        """What became of a score since the base and, where it fell after a phase, since its best."""
        base, (phase, best) = self._base.get(event.task), self._best.get(event.task, (BASE, event.score))
        if base is None:
            return []
        since = _became(base, event.score)
        words = _WORDS[since].format(figure(base.value))
        if phase == BASE or _became(best, event.score) is not Change.WORSE:
            return [self._ink(since)(words)]
        return [words, self._paint.red(f"worse than after {phase} ({figure(best.value)})")]

    def _keep(self, event: EvaluationCompleted) -> None:
        if event.phase == BASE:
            self._base[event.task] = event.score
        _, best = self._best.get(event.task, (BASE, None))
        sign = 1 if event.score.higher_is_better else -1
        if best is None or sign * (event.score.value - best.value) > 0:
            self._best[event.task] = (event.phase, event.score)

    def _coloured(self, event: EvaluationCompleted) -> str:
        base = self._base.get(event.task)
        became = _became(base, event.score) if base else Change.UNCLEAR
        return self._ink(became)(_figures(event.score))

    def _ink(self, became: Change) -> Callable[[str], str]:
        return {Change.BETTER: self._paint.green, Change.WORSE: self._paint.red}.get(became, str)


def _figures(score: Score) -> str:
    return f"{figure(score.value)} {interval(score.low, score.high)}"


def _became(before: Score, after: Score) -> Change:
    return change(Measured.of(before), Measured.of(after), higher_is_better=after.higher_is_better)
