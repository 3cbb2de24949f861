"""Phases: stacks, mixes, stages, contracts and hooks, each row on its own; ``checks`` looks across them."""

from __future__ import annotations

from typing import get_args

from pipeline_dsl.api.events import EVENTS
from pipeline_dsl.api.records import Role
from pipeline_dsl.diagnostics import Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.contracts import read_contracts
from pipeline_dsl.recipe.fields import Fields, fields_of
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.likes import LIKE
from pipeline_dsl.recipe.merging import merge
from pipeline_dsl.recipe.model import Hook, MixEntry, Phase, StackEntry, Use
from pipeline_dsl.recipe.names import BASE_ROW, check_name
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.rows import read_rows
from pipeline_dsl.recipe.stages import read_stages
from pipeline_dsl.recipe.suggest import nearest, renamed, suggestion
from pipeline_dsl.recipe.uses import use_block, use_value
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.recipe.when import read_condition
from pipeline_dsl.syntax.nodes import Entry, Mapping

PHASE_KEYS = ("after", "task", "stack", "mix", "stages", "train", "retain", "hooks", "seed")
STACK_COLUMNS = ("adapter", "role")
MIX_COLUMNS = ("data", "template", "weight", "limit", "repeat")
HOOK_COLUMNS = ("on", "every", "when", "do")
DEFAULT_TRAINER = "trainer"
ROLES: tuple[Role, ...] = get_args(Role)
TRAINED: tuple[Role, ...] = ("train", "continue")


def read_phase(entry: Entry, train: Mapping | None, findings: Findings) -> Phase | None:
    """Read one phase; rows that are wrong are reported and left out."""
    name = Ref(entry.key.name, entry.key.span)
    where = f"phases.{name.name}"
    _check_name(name, findings)
    if not isinstance(entry.value, Mapping):
        message = f"`{where}` must be a block, not {kind_of(entry.value)}"
        findings.error(Code.WRONG_TYPE, message, name.span)
        return None
    fields = fields_of(entry.value, where, findings, (*PHASE_KEYS, LIKE))
    return Phase(
        name=name,
        after=fields.refs("after"),
        task=fields.ref("task"),
        stack=_stack(fields, name),
        mix=_mix(fields, name),
        stages=read_stages(fields),
        train=_train(fields, train, name.span),
        retain=read_contracts(fields),
        hooks=read_hooks(fields),
        seed=fields.whole("seed", least=0),
        span=entry.span,
    )


def read_hooks(fields: Fields) -> tuple[Hook, ...]:
    """Read ``hooks`` of the recipe or of a phase."""
    found = (_hook(row) for row in read_rows(fields, "hooks", HOOK_COLUMNS, named=False))
    return tuple(hook for hook in found if hook is not None)


def _check_name(name: Ref, findings: Findings) -> None:
    if name.name != BASE_ROW:
        check_name(name, "a phase", findings)
        return
    findings.error(
        Code.INVALID_NAME,
        f"a phase cannot be called `{BASE_ROW}`",
        name.span,
        reason=f"`{BASE_ROW}` is the row of the untouched model in the retention matrix",
        help="give it another name",
    )


def _stack(fields: Fields, name: Ref) -> tuple[StackEntry, ...]:
    found, before = [], fields.findings.attempts
    for row in read_rows(fields, "stack", STACK_COLUMNS):
        adapter, role = _needed(row, "adapter"), row.choice("role", ROLES)
        if row.node("role") is None:
            row.missing("role", f"one of {', '.join(ROLES)}")
        chosen = next((known for known in ROLES if known == role), None)
        node = row.node("role")
        if adapter and chosen and node:
            found.append(StackEntry(adapter=adapter, role=chosen, span=row.span, role_span=node.span))
    if fields.findings.attempts == before and not any(e.role in TRAINED for e in found):
        _trains_nothing(fields, name, found)
    return tuple(found)


def _trains_nothing(fields: Fields, name: Ref, rows: list[StackEntry]) -> None:
    """Report a phase without an adapter to train, unless it lacks a part that is reported already."""
    if LIKE in fields.entries or _misspelt(fields, "stack"):
        return
    stack = fields.entries.get("stack")
    place = rows[-1].adapter.span if rows else stack.key.span if stack else name.span
    fields.findings.error(
        Code.TRAINS_NOTHING,
        f"phase `{name.name}` trains nothing" + ("" if stack else ": it has no `stack`"),
        place,
        help="give one adapter of its stack the role `train` (made new) or `continue` (trained on)",
    )


def _misspelt(fields: Fields, name: str) -> bool:
    """Whether a key that is not there is one of the unknown ones, which is reported already."""
    unknown = [key for key in fields.entries if key not in PHASE_KEYS]
    return name not in fields.entries and any(nearest(key, PHASE_KEYS) == name for key in unknown)


def _mix(fields: Fields, name: Ref) -> tuple[MixEntry, ...]:
    found, before = [], fields.findings.attempts
    for row in read_rows(fields, "mix", MIX_COLUMNS):
        data, template = _needed(row, "data"), use_value(row, "template")
        if row.node("template") is None:
            row.missing("template", "name the template that makes prompts of this data")
        weight = row.number("weight") if row.node("weight") is not None else 1.0
        limit, repeat = row.whole("limit", least=1), row.whole("repeat", least=1)
        if data and template and weight is not None:
            node = row.node("weight")
            entry = MixEntry(
                data=data,
                template=template,
                weight=weight,
                limit=limit,
                repeat=repeat or 1,
                span=row.span,
                weight_span=node.span if node else row.span,
            )
            found.append(entry)
    missing = LIKE not in fields.entries and not _misspelt(fields, "mix")
    if not found and fields.findings.attempts == before and missing:
        mix = fields.entries.get("mix")
        fields.findings.error(
            Code.NO_DATA,
            f"phase `{name.name}` has no training data",
            mix.key.span if mix else name.span,
            help=f"give it a `mix` with the columns {', '.join(MIX_COLUMNS[:3])}",
        )
    return tuple(found)


def _train(fields: Fields, shared: Mapping | None, head: Span) -> Use:
    own = fields.block("train", "a block of training options")
    block = merge(shared, own) if shared and own else own or shared or Mapping((), head)
    where = fields.label("train")
    fallback = Use(name=DEFAULT_TRAINER, options=Mapping((), head), span=head)
    return use_block(block, where, DEFAULT_TRAINER, fields.findings, head) or fallback


def _hook(row: Fields) -> Hook | None:
    on, do = _needed(row, "on"), use_value(row, "do")
    if row.node("do") is None:
        row.missing("do", "name the action, for example evaluate, checkpoint, log or stop")
    every = row.whole("every", least=1)
    condition = read_condition(row, "when", "loss < 0.01")
    if on and _event_exists(on, row.findings) and do:
        return Hook(on=on, every=every or 1, when=condition, do=do, span=row.span)
    return None


def _event_exists(on: Ref, findings: Findings) -> bool:
    names = [event.name for event in EVENTS]
    if on.name in names:
        return True
    findings.error(
        Code.UNKNOWN_EVENT,
        f"there is no event `{on.name}`",
        on.span,
        help=suggestion(on.name, names) or f"events: {', '.join(names)}",
        fixes=renamed(on.span, on.name, names),
    )
    return False


def _needed(row: Fields, name: str) -> Ref | None:
    """A name that a row cannot do without."""
    if row.node(name) is None:
        row.missing(name)
        return None
    return row.ref(name)
