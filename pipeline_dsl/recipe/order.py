"""In which order phases run: after what they use, and as the file has them where that leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.diagnostics import Related, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.model import Phase, Recipe, StackEntry


@dataclass(frozen=True, slots=True)
class Edge:
    """A phase that has to run before another, and what says so."""

    before: str
    why: str
    span: Span


def makers(recipe: Recipe) -> dict[tuple[str, str], str]:
    """For every phase and every adapter it does not make new: the phase that last trained it before.

    Keys are ``(phase, adapter)``. The phases have to be in execution order, as those of a loaded recipe are.
    """
    trained: dict[str, str] = {}
    found = {}
    for phase in recipe.phases:
        name = phase.name.name
        for entry in phase.stack:
            if entry.role != "train" and entry.adapter.name in trained:
                found[name, entry.adapter.name] = trained[entry.adapter.name]
        trained |= {e.adapter.name: name for e in phase.stack if e.role in ("train", "continue")}
    return found


def in_order(phases: tuple[Phase, ...], findings: Findings) -> tuple[Phase, ...]:
    """Return phases in execution order: each as early as the file has it, what it needs pulled before it.

    A circle is reported with its places; phases of one stay in the order of the file.
    """
    by_name = {phase.name.name: phase for phase in phases}
    needs = edges(phases)
    ordered: dict[str, Phase] = {}
    for phase in phases:
        _visit(phase.name.name, needs, by_name, ordered, findings)
    return tuple(ordered.values())


def edges(phases: tuple[Phase, ...]) -> dict[str, tuple[Edge, ...]]:
    """What every phase has to wait for: makers of its adapters, and ``after``."""
    made, continued = _trainers(phases)
    names = {phase.name.name for phase in phases}
    found = {}
    for phase in phases:
        name = phase.name.name
        waits = []
        for entry in phase.stack:
            before = _maker(name, entry, made, continued)
            if before:
                waits.append(Edge(before, _why(name, entry, before), entry.adapter.span))
        waits += [
            Edge(ref.name, f"`{name}` is after `{ref.name}`", ref.span)
            for ref in phase.after
            if ref.name in names
        ]
        found[name] = tuple(waits)
    return found


def _why(name: str, entry: StackEntry, before: str) -> str:
    return f"`{name}` uses `{entry.adapter.name}`, which `{before}` trains"


def _trainers(phases: tuple[Phase, ...]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The phase that makes each adapter, and those that continue it, in the order of the file."""
    made: dict[str, str] = {}
    continued: dict[str, list[str]] = {}
    for phase in phases:
        for entry in phase.stack:
            if entry.role == "train":
                made.setdefault(entry.adapter.name, phase.name.name)
            elif entry.role == "continue":
                continued.setdefault(entry.adapter.name, []).append(phase.name.name)
    return made, continued


def _maker(name: str, entry: StackEntry, made: dict[str, str], continued: dict[str, list[str]]) -> str | None:
    """The phase that has to run before this one because of one row of its stack."""
    adapter = entry.adapter.name
    if entry.role == "train":
        return None
    if entry.role == "continue":
        chain = continued[adapter]
        place = chain.index(name)
        if place > 0:
            return chain[place - 1]
    maker = made.get(adapter)
    return maker if maker != name else None


def _visit(
    start: str,
    needs: dict[str, tuple[Edge, ...]],
    by_name: dict[str, Phase],
    ordered: dict[str, Phase],
    findings: Findings,
) -> None:
    """Add a phase after all that it needs. ``trail``: each phase on the way, and its edges left."""
    if start in ordered:
        return
    trail: list[tuple[str, list[Edge]]] = [(start, list(reversed(needs[start])))]
    taken: list[Edge] = []
    while trail:
        name, left = trail[-1]
        if not left:
            ordered[name] = by_name[name]
            trail.pop()
            if taken:
                taken.pop()
            continue
        edge = left.pop()
        way = [on for on, _ in trail]
        if edge.before in way:
            place = way.index(edge.before)
            _cycle(way[place:], [*taken[place:], edge], findings)
        elif edge.before not in ordered:
            trail.append((edge.before, list(reversed(needs[edge.before]))))
            taken.append(edge)


def _cycle(names: list[str], loop: list[Edge], findings: Findings) -> None:
    """Report a circle. ``names[i]`` waits for the next one because of ``loop[i]``."""
    shown = [*names, names[0]]
    findings.error(
        Code.PHASE_CYCLE,
        f"phases wait for each other: {' -> '.join(shown)} (each waits for the next)",
        loop[0].span,
        reason=loop[0].why,
        help="take one of these uses, or one `after`, away",
        related=tuple(Related(message=edge.why, span=edge.span) for edge in loop[1:]),
    )
