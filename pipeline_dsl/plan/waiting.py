"""Actions that wait for scores of a task in training, held against what scores tasks there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline_dsl.api.events import EvaluationCompleted
from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import ProviderRef
from pipeline_dsl.recipe.model import Hook

EVALUATE = "actions/evaluate"
EARLY_STOP = "early_stop/early_stop"
KEEP_BEST = "early_stop/keep_best"
_SILENT = frozenset({EARLY_STOP, KEEP_BEST, "actions/log", "actions/checkpoint", "actions/stop"})
"""Actions that score nothing; what a plugin's own does is not known."""


class Waiting:
    """Gathers the actions of a recipe that wait for scores, and those that bring them."""

    def __init__(self, tasks: Iterable[str]) -> None:
        self._tasks = tuple(tasks)
        self._scored: set[str] = set()
        self._waiting: list[tuple[str, str, Span]] = []

    def look(self, hook: Hook, ref: ProviderRef) -> None:
        """Take a hook and its action."""
        full = f"{ref.plugin}/{ref.name}"
        if full == EVALUATE:
            self.scored(ref.options["tasks"] or self._tasks)
        elif full not in _SILENT:
            self.scored(self._tasks)
        elif hook.on.name == EvaluationCompleted.name and full in {EARLY_STOP, KEEP_BEST}:
            figure = ref.options["task" if full == KEEP_BEST else "monitor"]
            task = next((t for t in self._tasks if figure == t or figure.startswith(f"{t}.")), None)
            if task is not None:
                self._waiting.append((ref.name, task, hook.do.span))

    def scored(self, tasks: Iterable[str]) -> None:
        """Take tasks that are scored while a phase trains."""
        self._scored |= set(tasks)

    def findings(self) -> Iterator[Diagnostic]:
        """Say which actions wait for what never comes."""
        for name, task, span in self._waiting:
            if task not in self._scored:
                yield Diagnostic(
                    code=PlanCode.NOTHING_SCORES.code,
                    message=f"`{name}` waits for scores of `{task}`, and nothing takes any in training",
                    span=span,
                    help=f"bind {{use: evaluate, tasks: [{task}]}} to epoch_completed or iteration_completed",
                )
