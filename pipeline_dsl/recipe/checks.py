"""What can only be seen by looking across the blocks of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass

from pipeline_dsl.api.events import StageCompleted, StageStarted
from pipeline_dsl.diagnostics import Related
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.data import block_and_part, check_data_reference, names_to_use
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.model import Hook, MixEntry, Phase, StackEntry, Task, View
from pipeline_dsl.recipe.paths import rows
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.respelling import without_sign
from pipeline_dsl.recipe.suggest import renamed, suggestion
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar, plain
from pipeline_dsl.syntax.repairs import write

_OF_STAGES = frozenset({StageStarted.name, StageCompleted.name})


@dataclass(frozen=True, slots=True)
class _Use:
    """A name that is used, and which block has to declare it."""

    section: str
    ref: Ref


def check_references(
    tree: Mapping,
    tasks: tuple[Task, ...],
    phases: tuple[Phase, ...],
    views: Map[str, View],
    findings: Findings,
) -> None:
    """Report names that nothing declares; where a whole block is missing, that once.

    Args:
        tree: the resolved recipe.
        tasks: its tasks.
        phases: its phases.
        views: of the data blocks whose parts are known.
        findings: where to report to.
    """
    uses = [use for phase in phases for use in _uses(phase)]
    data = [*(use.ref for use in uses if use.section == "data"), *(task.data for task in tasks)]
    _check_data(data, _declared(tree.get("data")), views, findings)
    for task in tasks:
        _check_end(task, views, findings)
    for section in ("adapters", "tasks", "phases"):
        known = _declared(tree.get(section))
        wanted = [use.ref for use in uses if use.section == section]
        if known is None:
            continue
        for ref in wanted:
            if ref.name in known:
                continue
            _unknown(section, ref, known, findings)
            if not known:
                break


def _check_data(
    wanted: list[Ref], known: tuple[str, ...] | None, views: Map[str, View], findings: Findings
) -> None:
    for ref in wanted if known is not None else ():
        if not check_data_reference(ref, known or (), views, findings):
            _unknown("data", ref, names_to_use(known or (), views), findings)
        if not known:
            break


def _check_end(task: Task, views: Map[str, View], findings: Findings) -> None:
    """A task reads all its rows into memory: of a stream it has to say how many."""
    view = views.get(block_and_part(task.data.name)[0])
    if view is not None and view.streaming and task.limit is None and view.limit is None:
        findings.error(
            Code.ENDLESS_TASK,
            f"`{task.data.name}` is streamed: say how many of its rows `{task.name.name}` asks",
            task.data.span,
            help="give the task a `limit`, for example 200; the first rows are taken",
        )


def check_phases(tree: Mapping, phases: tuple[Phase, ...], findings: Findings) -> None:
    """Report stacks and mixes that cannot work."""
    for phase in phases:
        _check_stack(phase, findings)
        _check_weights(phase.mix, findings)
        _check_sources(phase.mix, findings)
    _check_made_once(phases, findings)
    _check_made(tree, phases, findings)


def check_hooks(of_recipe: tuple[Hook, ...], phases: tuple[Phase, ...], findings: Findings) -> None:
    """Report hooks on events of stages where nothing has stages: they would never act."""
    if not any(phase.stages for phase in phases):
        _never_fire(of_recipe, "no phase has stages", findings)
    for phase in phases:
        if not phase.stages:
            _never_fire(phase.hooks, f"`{phase.name.name}` has no stages", findings)


def _never_fire(hooks: tuple[Hook, ...], why: str, findings: Findings) -> None:
    for hook in hooks:
        if hook.on.name in _OF_STAGES:
            findings.error(
                Code.NEVER_FIRES,
                f"`{hook.on.name}` never fires here: {why}",
                hook.on.span,
                help="bind it to an event of the training (epoch_completed), or give the phase `stages`",
            )


def _uses(phase: Phase) -> Iterator[_Use]:
    yield from (_Use("adapters", entry.adapter) for entry in phase.stack)
    yield from (_Use("data", entry.data) for entry in phase.mix)
    yield from (_Use("tasks", contract.task) for contract in phase.retain)
    if phase.task:
        yield _Use("tasks", phase.task)
    yield from (_Use("phases", ref) for ref in phase.after)


def _declared(section: Node | None) -> tuple[str, ...] | None:
    """The names that a block declares, however badly; None where that cannot be told."""
    if section is None:
        return ()
    if isinstance(section, Scalar):
        return None
    if isinstance(section, Mapping):
        return section.names()
    cells = (row.get("task") for row in rows(section) if isinstance(row, Mapping))
    return tuple(normal(str(cell.value)) for cell in cells if isinstance(cell, Scalar))


def _unknown(section: str, ref: Ref, known: tuple[str, ...], findings: Findings) -> None:
    what = {"adapters": "adapter", "data": "data source", "tasks": "task", "phases": "phase"}[section]
    message = f"there is no {what} `{ref.name}`"
    if not known:
        findings.error(
            Code.UNKNOWN_NAME, f"{message}: the recipe has no `{section}`", ref.span, help=f"add `{section}:`"
        )
        return
    findings.error(
        Code.UNKNOWN_NAME,
        message,
        ref.span,
        help=suggestion(ref.name, known, what=f"`{section}`"),
        fixes=renamed(ref.span, ref.name, known),
    )


def _check_stack(phase: Phase, findings: Findings) -> None:
    first: dict[str, StackEntry] = {}
    separate: StackEntry | None = None
    for entry in phase.stack:
        before = first.setdefault(entry.adapter.name, entry)
        if before is not entry:
            findings.error(
                Code.ADAPTER_TWICE,
                f"adapter `{entry.adapter.name}` stands twice in the stack of `{phase.name.name}`",
                entry.adapter.span,
                help="leave one of the two rows out; a second adapter may be declared `like` it",
                related=(Related(message=f"`{before.role}` here", span=before.adapter.span),),
            )
        if entry.role != "merge":
            separate = separate or entry
        elif separate:
            _merge_above(entry, separate, findings)


def _merge_above(entry: StackEntry, below: StackEntry, findings: Findings) -> None:
    findings.error(
        Code.MERGE_ABOVE,
        f"`{entry.adapter.name}` cannot be merged above `{below.adapter.name}`, which stays separate",
        entry.adapter.span,
        reason="a stack is listed bottom to top, and only what lies on the base can be folded into it",
        help="list all `merge` rows first, or `freeze` this adapter",
        related=(Related(message=f"`{below.role}` here", span=below.adapter.span),),
    )


def _check_weights(mix: tuple[MixEntry, ...], findings: Findings) -> None:
    wrong = [entry for entry in mix if not entry.weight > 0]
    if len(wrong) > 1 and len(wrong) == len(mix) and not any(entry.weight < 0 for entry in wrong):
        wrong = wrong[:1]
        message = "all weights of this mix are 0"
    else:
        message = "a weight must be above 0"
    for entry in wrong:
        findings.error(
            Code.WEIGHTS,
            message,
            entry.data.span,
            help="weights are shares: 0.9 and 0.1, or 9 and 1; leave out a row that is not to be used",
            fixes=without_sign(entry.weight_span),
        )


def _check_sources(mix: tuple[MixEntry, ...], findings: Findings) -> None:
    first: dict[tuple[str, str], MixEntry] = {}
    for entry in mix:
        before = first.setdefault((entry.data.name, entry.template.name), entry)
        if before is not entry and _same_options(before, entry):
            findings.warning(
                Code.REPEATED_SOURCE,
                f"`{entry.data.name}` through `{entry.template.name}` stands twice in this mix",
                entry.data.span,
                help="give one row the sum of the weights",
                related=(Related(message="first here", span=before.data.span),),
            )


def _same_options(one: MixEntry, other: MixEntry) -> bool:
    return plain(one.template.options) == plain(other.template.options)


def _check_made_once(phases: tuple[Phase, ...], findings: Findings) -> None:
    first: dict[str, tuple[Phase, StackEntry]] = {}
    for phase in phases:
        for entry in phase.stack:
            if entry.role != "train":
                continue
            maker, made = first.setdefault(entry.adapter.name, (phase, entry))
            if maker is not phase:
                findings.error(
                    Code.MADE_TWICE,
                    f"adapter `{entry.adapter.name}` is made new by `{maker.name.name}` "
                    f"and again by `{phase.name.name}`",
                    entry.adapter.span,
                    help="write `continue` to train it on, `freeze` or `merge` to build on it, "
                    "or declare a second adapter `like` it",
                    fixes=tuple(write(entry.role_span, role) for role in ("continue", "freeze", "merge")),
                    related=(Related(message="made here", span=made.adapter.span),),
                )


def _check_made(tree: Mapping, phases: tuple[Phase, ...], findings: Findings) -> None:
    """Report adapters that are used but never made, at their first use."""
    known = _declared(tree.get("adapters"))
    made = {e.adapter.name for phase in phases for e in phase.stack if e.role == "train"}
    doubtful = _doubtful(tree, phases)
    uses: dict[str, list[StackEntry]] = {}
    for entry in (e for phase in phases for e in phase.stack):
        name = entry.adapter.name
        if name not in made and doubtful is not None and name not in doubtful and name in (known or ()):
            uses.setdefault(name, []).append(entry)
    for name, entries in uses.items():
        findings.error(
            Code.NEVER_MADE,
            f"no phase makes adapter `{name}`",
            entries[0].adapter.span,
            reason=f"`{entries[0].role}` needs an adapter that a phase has trained",
            help=f"give `{name}` the role `train` in the phase that is to make it",
            fixes=(write(entries[0].role_span, "train"),),
            related=tuple(Related(message="used here too", span=e.adapter.span) for e in entries[1:]),
        )


def _doubtful(tree: Mapping, phases: tuple[Phase, ...]) -> set[str] | None:
    """Adapters of rows that could not be read, which may be what makes them; None for any adapter."""
    section = tree.get("phases")
    read = {phase.name.name: {e.adapter.name for e in phase.stack} for phase in phases}
    found: set[str] = set()
    for entry in section if isinstance(section, Mapping) else ():
        stack = entry.value.get("stack") if isinstance(entry.value, Mapping) else None
        if not isinstance(entry.value, Mapping) or isinstance(stack, Scalar):
            return None
        names = stack.names() if isinstance(stack, Mapping) else _adapters(stack)
        found.update(set(names) - read.get(entry.key.name, set()))
    return found


def _adapters(stack: Node | None) -> tuple[str, ...]:
    """Adapters that the rows of a stack name, the rows that are no blocks included."""
    items = rows(stack) if stack else ()
    cells = [row.get("adapter") if isinstance(row, Mapping) else row for row in items]
    return tuple(normal(str(cell.value)) for cell in cells if isinstance(cell, Scalar))
