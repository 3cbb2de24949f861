"""What is served: stacks by the names under which clients ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from pipeline_dsl.run.asking import Question, choose_question, questions_of
from pipeline_dsl.run.finished import FinishedRun, FinishedStack, LoadedStacks
from pipeline_dsl.serving.faults import Fault
from pipeline_dsl.serving.settings import Settings
from pipeline_dsl.serving.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A stack that is served."""

    stack: FinishedStack
    stack_name: str
    """What ``Generation.stack`` is to be."""
    worker: Worker
    questions: tuple[Question, ...]
    """Its templates."""
    fingerprint: str
    """Which weights answer: shortened."""

    def question(self, template: str | None) -> Question:
        """Return the template of a name; without one the first that takes what a person types."""
        return choose_question(self.questions, template, typed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All that is served of a run."""

    run: FinishedRun
    served: tuple[Served, ...]
    """In the order of the phases, the base last; at least one."""
    workers: tuple[Worker, ...]
    loaded: tuple[LoadedStacks, ...]

    @property
    def default(self) -> Served:
        """Who answers where no name is given: the run's result, or else the first that is served."""
        return self._of(self.run.last) or self.served[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """Names to show: the recipe's for the run's result, then each stack once."""
        first = (self.run.plan.recipe,) if self._of(self.run.last) else ()
        return tuple(dict.fromkeys((*first, *(each.stack.name for each in self.served))))

    def find(self, name: str | None) -> Served:
        """Return who answers to a name: a phase's, an adapter's, the recipe's or ``base``.

        Raises:
            UnknownStackError: the run has none of that name.
            Fault: 404, it is not served.
        """
        if name is None:
            return self.default
        stack = self.run.find(name)
        found = self._of(stack)
        if found is None:
            message = f"`{name}` is not served; there are {', '.join(self.ids)}"
            raise Fault(404, message, code="model_not_found", param="model")
        return found

    def close(self) -> None:
        """End the workers and free the memory."""
        for worker in self.workers:
            worker.stop()
        for worker in self.workers:
            worker.join(10)
        for loaded in self.loaded:
            loaded.close()

    def _of(self, stack: FinishedStack) -> Served | None:
        return next((each for each in self.served if each.stack.name == stack.name), None)


def set_up(run: FinishedRun, settings: Settings) -> Shelf:
    """Load what is to be served: each group of stacks that share a base on one of its own.

    Raises:
        MedrecipeError: there is no such stack, it does not fit, or the machine lacks something.
    """
    groups = _groups(run, settings.adapters)
    if len(groups) > 1:
        settings.say(f"{len(groups)} bases, since these stacks do not stand on the same weights")
    served: list[Served] = []
    loaded: list[LoadedStacks] = []
    workers: list[Worker] = []
    for group in groups:
        names = ", ".join(stack.name for stack in group)
        settings.say(f"loading {names}")
        stacks = run.load(group)
        loaded.append(stacks)
        worker = Worker(stacks.model.decoder, slots=settings.slots, queue=settings.queue, say=settings.say)
        workers.append(worker)
        shown = group if settings.adapters else (*group, run.base)
        served += [_served(run, stack, stacks, worker) for stack in shown if stack.name in stacks.names]
        settings.say(f"{names}: {_memory(stacks)}")
    return Shelf(run=run, served=tuple(served), workers=tuple(workers), loaded=tuple(loaded))


def _groups(run: FinishedRun, adapters: Sequence[str]) -> Sequence[Sequence[FinishedStack]]:
    if adapters:
        chosen = {stack.name: stack for stack in (run.find(name) for name in adapters)}
        return run.groups(tuple(chosen.values()))
    return [next(group for group in run.groups(run.stacks) if run.last in group)]


def left_out(run: FinishedRun, shelf: Shelf) -> str | None:
    """Say which finished stacks are not served and why; None where all are."""
    there = {each.stack.name for each in shelf.served}
    missing = [stack.name for stack in run.stacks if stack.name not in there]
    if not missing:
        return None
    names = ", ".join(missing)
    return (
        f"not served: {names}, since on other weights than {shelf.default.stack.name}; "
        f"--adapter {missing[0]} serves one on a base of its own"
    )


def _served(run: FinishedRun, stack: FinishedStack, loaded: LoadedStacks, worker: Worker) -> Served:
    known = stack.phase.fingerprint if stack.phase else repr(run.plan.base)
    return Served(
        stack=stack,
        stack_name=loaded.names[stack.name],
        worker=worker,
        questions=questions_of(run.plan, run.catalog, stack.phase),
        fingerprint=f"fp_{sha256(known.encode()).hexdigest()[:12]}",
    )


def _memory(loaded: LoadedStacks) -> str:
    memory = loaded.model.memory()
    where = "of the process" if memory.kind == "rss" else "of the GPU"
    return f"{memory.used / 1e9:.1f} GB {where}"
