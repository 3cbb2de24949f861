"""Held back: what is measured on a test part must not decide what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.recipe.conditions import Condition
from pipeline_dsl.recipe.model import Hook, Recipe

STEERING = frozenset({"stop", "early_stop", "keep_best"})
"""Actions that decide which weights a training ends with."""
_TEST = "test"


class HeldBack:
    """The tasks of a recipe that score a test part."""

    def __init__(self, recipe: Recipe) -> None:
        parts = {f"{block.name.name}.{_TEST}" for block in recipe.data if _TEST in block.view.parts}
        self._tasks = {t.name.name: t.data.name for t in recipe.tasks if t.data.name in parts}

    def of_condition(self, condition: Condition, what: str) -> Iterator[Diagnostic]:
        """Say which scores of a test part a condition that steers uses."""
        for ref in condition.names:
            if (task := self._task(ref.name)) is not None:
                yield self._finding(task, ref.span, what)

    def of_hook(self, hook: Hook, options: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """Say by which scores of a test part a hook steers; ``options`` are those of its action."""
        if hook.do.name.rpartition("/")[2] not in STEERING:
            return
        what = f"`{hook.do.name}`"
        if hook.when is not None:
            yield from self.of_condition(hook.when, what)
        for name, value in options.items():
            for word in value if isinstance(value, list | tuple) else (value,):
                if isinstance(word, str) and (task := self._task(word)) is not None:
                    entry = hook.do.options.entry(name)
                    yield self._finding(task, entry.value.span if entry else hook.do.span, what)

    def _task(self, name: str) -> str | None:
        """The task over a test part whose score, or a detail of it, has this name."""
        return next((task for task in self._tasks if name == task or name.startswith(f"{task}.")), None)

    def _finding(self, task: str, span: Span, what: str) -> Diagnostic:
        data = self._tasks[task]
        return Diagnostic(
            code=PlanCode.TEST_STEERS.code,
            message=f"{what} would go by `{task}`, which scores `{data}`",
            span=span,
            reason="a test part says what a training is worth; what decides about the training is part of it",
            help=f"score `{data.removesuffix(_TEST)}validation` in another task and go by that",
        )
