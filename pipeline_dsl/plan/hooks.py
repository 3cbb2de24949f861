"""Hooks of a recipe to hooks of a plan: is the action there, can it act there, is its condition known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from pipeline_dsl.api import events
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.choose import Chosen
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import HookPlan, ProviderRef
from pipeline_dsl.plan.steering import HeldBack
from pipeline_dsl.plan.waiting import EARLY_STOP, EVALUATE, KEEP_BEST, Waiting
from pipeline_dsl.recipe.model import Hook, Recipe, Use
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.suggest import nearest, renamed

ALWAYS = ("loss", "learning_rate", "grad_norm", "label_tokens", "step", "max_steps", "epoch")
"""Values that every condition may use, besides the scores of tasks."""
OF_AN_EVENT = frozenset({"index", "total", "seconds", "trainable_parameters", "total_parameters"})
"""Numbers that some events carry: a condition bound to one of these may use them."""
ON_TRAINING = frozenset({EVALUATE, "actions/checkpoint", "actions/stop"})
"""Built-in actions that need a training to act on, in full names."""
_NAMING = {EVALUATE: "tasks", EARLY_STOP: "monitor", KEEP_BEST: "task"}
"""Options of built-in actions in which scores are named."""
IN_TRAINING = frozenset(
    e.name for e in events.EVENTS if issubclass(e, (events.TrainingEvent, events.EvaluationCompleted))
)


class Desk(Protocol):
    """Resolves names and keeps findings."""

    findings: list[Diagnostic]

    def one(self, kind: Kind, use: Use) -> Chosen | None:
        """Choose one provider."""


class HookReader:
    """Reads the hooks of one recipe."""

    def __init__(self, recipe: Recipe, desk: Desk, metrics: Mapping[str, Chosen]) -> None:
        self._tasks = [t.name.name for t in recipe.tasks]
        self._desk = desk
        self._metrics = metrics
        self._held_back = HeldBack(recipe)
        self._waiting = Waiting(self._tasks)

    def read(self, hook: Hook) -> HookPlan | None:
        """Return a hook with its action chosen; None where there is no such action."""
        self._check_condition(hook)
        action = self._desk.one(Kind.ACTION, hook.do)
        if action is None:
            return None
        self._check_place(hook, action)
        self._desk.findings += self._held_back.of_hook(hook, action.ref.options)
        self._check_figures(hook, action.ref)
        self._waiting.look(hook, action.ref)
        when = hook.when.text if hook.when else None
        return HookPlan(on=hook.on.name, every=hook.every, when=when, do=self._with_mode(action.ref))

    def finish(self, judged: Iterable[str]) -> None:
        """Report the actions that wait for scores in vain, all hooks being read.

        Args:
            judged: tasks that stages score for themselves.
        """
        self._waiting.scored(judged)
        self._desk.findings += self._waiting.findings()

    def _with_mode(self, ref: ProviderRef) -> ProviderRef:
        """An action that watches a task's score, with the direction that the task's metric says is better."""
        if f"{ref.plugin}/{ref.name}" != EARLY_STOP or ref.options["mode"] is not None:
            return ref
        task = self._metrics.get(ref.options["monitor"])
        if task is None:
            return ref
        mode = "max" if task.made.higher_is_better else "min"
        return replace(ref, options={**ref.options, "mode": mode})

    def _check_figures(self, hook: Hook, ref: ProviderRef) -> None:
        """Report what a built-in action would go by and nothing computes."""
        name = _NAMING.get(f"{ref.plugin}/{ref.name}")
        if name is None:
            return
        known = self._values(hook.on.name) if name == "monitor" else tuple(self._tasks)
        value, entry = ref.options[name], hook.do.options.entry(name)
        for figure in (value,) if isinstance(value, str) else value:
            span = entry.value.span if entry else hook.do.span
            if figure in known or self._doubtful(Ref(figure, span)):
                continue
            near = nearest(figure, known)
            what = "score or figure" if name == "monitor" else "task"
            self._desk.findings.append(
                Diagnostic(
                    code=PlanCode.UNKNOWN_FIGURE.code,
                    message=f"`{ref.name}` would go by `{figure}`, and there is no such {what}",
                    span=span,
                    help=(f"did you mean `{near}`? " if near else "") + "known here: " + ", ".join(known),
                    fixes=renamed(span, figure, known),
                )
            )

    def _check_place(self, hook: Hook, action: Chosen) -> None:
        full, event = f"{action.ref.plugin}/{action.ref.name}", hook.on.name
        at = "an event of the training: epoch_completed, iteration_completed"
        if full in ON_TRAINING and event not in IN_TRAINING:
            why = f"`{action.ref.name}` acts on a training, and at `{event}` there is none"
        elif full == EVALUATE and event == events.EvaluationCompleted.name:
            why = f"`{action.ref.name}` at `{event}` would set itself off without end"
        elif full == KEEP_BEST and event != events.EvaluationCompleted.name:
            why = f"`{action.ref.name}` compares scores, and `{event}` brings none"
            at = events.EvaluationCompleted.name
        else:
            return
        self._desk.findings.append(
            Diagnostic(code=PlanCode.CANNOT_ACT.code, message=why, span=hook.on.span, help=f"bind it to {at}")
        )

    def _check_condition(self, hook: Hook) -> None:
        if hook.when is None:
            return
        known = self._values(hook.on.name)
        for ref in hook.when.names:
            if ref.name in known or self._doubtful(ref):
                continue
            near = nearest(ref.name, known)
            self._desk.findings.append(
                Diagnostic(
                    code=PlanCode.CONDITION_NAME.code,
                    message=f"nothing computes `{ref.name}`",
                    span=ref.span,
                    help=(f"did you mean `{near}`? " if near else "") + "known here: " + ", ".join(known),
                    fixes=renamed(ref.span, ref.name, known),
                )
            )

    def _doubtful(self, ref: Ref) -> bool:
        """Whether it may be a detail of a task whose metric could not be found, which is told already."""
        task = ref.name.partition(".")[0]
        return task in self._tasks and task not in self._metrics

    def _values(self, event: str) -> tuple[str, ...]:
        details = [f"{task}.{d}" for task, chosen in self._metrics.items() for d in chosen.made.details]
        own = [
            f for e in events.EVENTS if e.name == event for f in events.event_fields(e) if f in OF_AN_EVENT
        ]
        return tuple(dict.fromkeys([*ALWAYS, *own, *self._tasks, *details]))
