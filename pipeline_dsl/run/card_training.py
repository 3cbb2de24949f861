"""The part of a model card that tells how a stack was trained: phases, data, options, what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline_dsl.plan.model import DataPlan, MixPlan, PhasePlan, Plan, ProviderRef, ViewPlan
from pipeline_dsl.run.card_facts import CardFacts
from pipeline_dsl.run.export_files import file_name
from pipeline_dsl.run.markdown import code, codes, figure, inert, size, table

Json = dict[str, Any]
_FILES = 3
"""How many files of a source are named."""
_HASH = 12
"""How many digits of a hash are enough to find it by."""
_ROLES = {
    "train": "trained here, anew",
    "continue": "trained further here",
    "freeze": "active, not trained",
    "merge": "folded into the weights",
}


def training(facts: CardFacts) -> str:
    """Return the section: each phase that the stack stands on, then its own."""
    return "\n\n".join(part for n, phase in enumerate(facts.phases, 1) for part in _phase(facts, phase, n))


def data_names(facts: CardFacts) -> list[str]:
    """Return the names of the sources on which the stack was trained, each once."""
    return list(dict.fromkeys(entry.data for phase in facts.phases for entry in phase.mix))


def _phase(facts: CardFacts, phase: PhasePlan, number: int) -> Iterator[str]:
    record = facts.records.get(phase.name, {})
    yield f"### {number}. {code(phase.name)}"
    yield _stack(facts.plan, phase)
    yield _data(facts.plan, phase)
    if phase.stages:
        yield _stages(phase)
    yield f"Trainer {code(phase.train.name)}: {options(phase.train)}; `seed: {phase.seed}`."
    yield _came_to(record)


def _stack(plan: Plan, phase: PhasePlan) -> str:
    rows = [
        [
            code(x.adapter),
            _ROLES[x.role],
            code(x.made_by) if x.made_by else "",
            options(plan.adapters[x.adapter]),
        ]
        for x in phase.stack
    ]
    return table(("adapter, bottom first", "role", "from phase", "options"), rows)


def options(ref: ProviderRef) -> str:
    """Return the options of a provider that say something: no paths, nothing that is off."""
    shown = [
        f"{name}: {_value(value)}"
        for name, value in ref.options.items()
        if name not in ref.paths and value not in (None, False, "", [], {})
    ]
    return codes(shown) if shown else "no options"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_value(v)}" for k, v in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _data(plan: Plan, phase: PhasePlan) -> str:
    rows = [_source(entry, plan.data[entry.data]) for entry in phase.mix]
    return table(("data", "share", "template", "files", "sha256", "rows taken"), rows)


def _source(entry: MixPlan, data: DataPlan) -> list[str]:
    named = data.files[:_FILES]
    more = f" and {len(data.files) - _FILES} more" if len(data.files) > _FILES else ""
    files = ", ".join(f"{code(file_name(f.path))} ({size(f.bytes)})" for f in named) + more
    hashes = codes([f.sha256[:_HASH] for f in named if f.sha256])
    origin = data.source.options.get("name")
    place = f"{code(origin)} " if isinstance(origin, str) else ""
    return [
        code(entry.data),
        f"{entry.weight:.0%}",
        code(entry.template.name),
        f"{place}{files}" or "streamed",
        hashes,
        _rows(entry, data.view),
    ]


def _rows(entry: MixPlan, view: ViewPlan) -> str:
    """What of a source is taken."""
    taken = [
        f"part {code(view.part)} of {'/'.join(f'{share:g}' for share in view.split)}" if view.part else "",
        f"where {code(view.filter)}" if view.filter else "",
        f"at most {view.limit:,}" if view.limit is not None else "",
        f"of these at most {entry.limit:,}" if entry.limit is not None else "",
        f"each {entry.repeat} times" if entry.repeat > 1 else "",
        "as a stream" if view.streaming else "",
    ]
    return ", ".join(part for part in taken if part) or "all"


def _stages(phase: PhasePlan) -> str:
    rows = [
        [
            code(stage.name),
            code(stage.template.name) if stage.template else "of the data",
            "all" if stage.samples is None else f"{stage.samples:,}",
            code(stage.until) if stage.until else "",
        ]
        for stage in phase.stages
    ]
    return table(("stage", "template", "samples", "until"), rows)


def _epochs(number: float) -> str:
    return f"{number:.3g} epoch{'' if number == 1 else 's'}"


def _came_to(record: Json) -> str:
    """One sentence on what a phase came to, of what its record holds."""
    metrics, data = record.get("metrics") or {}, record.get("data") or {}
    parts = [
        _counted(data.get("samples"), "samples an epoch"),
        _counted(data.get("dropped"), "samples left out") if data.get("dropped") else "",
        _counted(metrics.get("steps"), "steps"),
        _epochs(metrics["epochs"]) if metrics.get("epochs") else "",
        _counted(metrics.get("label_tokens"), "tokens learned from"),
        f"mean loss {figure(metrics['loss'])} nats a token" if _is_number(metrics.get("loss")) else "",
        _counted(metrics.get("trainable_parameters"), "trained parameters"),
        f"stopped: {inert(metrics['stopped'])}" if metrics.get("stopped") else "",
        f"weights of step {metrics['kept_step']:,} kept" if metrics.get("kept_step") else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"It came to {told}." if told else "What it came to is not recorded."


def _counted(value: object, what: str) -> str:
    return f"{value:,} {what}" if isinstance(value, int) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
