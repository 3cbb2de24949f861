"""What a plan will cost: samples, steps, tokens, trainable parameters; from data, shapes and tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from pipeline_dsl.api.contracts import Adapter, Model, Trainer
from pipeline_dsl.api.errors import DataError, MachineError, ModelError
from pipeline_dsl.api.records import Fertility, ModelShape, Precision, Prepared, Sample
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.hashing import fingerprint
from pipeline_dsl.plan.mix import PhaseSamples, Pool, render
from pipeline_dsl.plan.model import Estimate, MixPlan, PhasePlan, Plan
from pipeline_dsl.plan.prepared import DamagedError, find, key_of
from pipeline_dsl.plan.stages import with_estimate
from pipeline_dsl.registry import Catalog

T = TypeVar("T")
_TEXTS = 10_000
"""Rows of the first training data on which fertility is measured, at most."""

_BASE = "tokens, what can be reused"
"""What hangs on the base's own files."""
_NOT_HERE = "MR451"
REUSED = "reused"
ANEW = "made anew"
UNKNOWN = "not known yet"
STREAMED = "streamed"
"""What becomes of the prepared data of a mix row; what is streamed is prepared as it comes and never kept."""


def identify(plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> Plan:
    """Have the base's files there (download, build) and return the plan with its identity and fingerprints.

    Its device is a real one afterwards, not ``auto``: it counts in the fingerprints.

    Raises:
        MachineError: the device is not there; nothing is downloaded or built for it.
        ModelError: the base cannot be had.
    """
    model: Model = make(catalog, plan.model)
    device = model.device(plan.device)
    model.prepare(say)
    settled = _settled(plan, model, device)
    return fingerprint(replace(settled, device=device, base=model.identity(device)))


def estimate(plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> Plan:
    """Return the plan with estimates, and with fingerprints where the base's files are there.

    Nothing is downloaded or built: what cannot be known yet stays None, and ``say`` tells why.

    Raises:
        DataError: rows that cannot become samples.
        ModelError: a base that is damaged, or adapters whose targets it does not have.
    """
    model: Model = make(catalog, plan.model)
    missing: dict[str, list[str]] = {}
    device = _known(partial(model.device, plan.device), _BASE, missing)
    base = None if device is None else _known(partial(model.identity, device), _BASE, missing)
    shape = _known(model.shape, "trained parameters", missing)
    if device and base:
        plan = _settled(plan, model, device, say)
    for reason, what in missing.items():
        say(f"not known yet: {', '.join(what)} ({reason})")
    if shape is not None and shape.note:
        say(shape.note)
    planned = fingerprint(replace(plan, device=device if device and base else plan.device, base=base))
    phases = tuple(with_estimate(p, _phase(planned, p, catalog, shape)) for p in planned.phases)
    return replace(planned, phases=phases, fertility=_fertility(planned, model, catalog))


def _settled(plan: Plan, model: Model, device: str, say: Callable[[str], None] | None = None) -> Plan:
    """Return the plan with the number format that the base chose for its weights, and ``say`` why."""
    ask = getattr(model, "precision", None)
    if ask is None:
        return plan
    precision: Precision = ask(device)
    if say is not None and precision.reason:
        say(f"weights in {precision.dtype}: {precision.reason}")
    options = {**plan.model.options, "dtype": precision.dtype}
    return replace(plan, model=replace(plan.model, options=options))


def _fertility(plan: Plan, model: Model, catalog: Catalog) -> Fertility | None:
    """Tokens of the first training data with and without added tokens; None where none are added."""
    entry = plan.phases[0].mix[0]
    data = plan.data[entry.data]
    ask = getattr(model, "fertility", None)
    if ask is None or plan.base is None or not data.here or data.view.streaming:
        return None
    limit = min(entry.limit or _TEXTS, _TEXTS)
    found: Fertility | None = ask(render(plan, entry.data, entry.template, limit, catalog))
    return found


def _phase(plan: Plan, phase: PhasePlan, catalog: Catalog, shape: ModelShape | None) -> Estimate:
    trainer: Trainer = make(catalog, phase.train)
    rows = [_row(plan, phase, entry, trainer, catalog) for entry in phase.mix]
    samples = _mixed(phase, [found for _, found in rows])
    counts = (
        {layer.adapter: _count(plan, layer.adapter, catalog, shape) for layer in phase.stack} if shape else {}
    )
    attached = [layer.adapter for layer in phase.stack if layer.role != "merge"]
    return Estimate(
        samples=None if samples is None else len(samples),
        steps=_steps(trainer, samples),
        tokens=None if samples is None or plan.base is None else _tokens(plan, samples.epoch(0), catalog),
        trainable_parameters=sum(counts[name] for name in phase.trained) if shape else None,
        total_parameters=shape.parameters + sum(counts[name] for name in attached) if shape else None,
        manner=_manner(trainer, shape),
        prepared=tuple(state for state, _ in rows),
    )


def _manner(trainer: Trainer, shape: ModelShape | None) -> str:
    ask = getattr(trainer, "manner", None)
    return str(ask(shape)) if ask and shape is not None else ""


def _row(
    plan: Plan, phase: PhasePlan, entry: MixPlan, trainer: Trainer, catalog: Catalog
) -> tuple[str, Sequence[Prepared | Sample] | None]:
    """What becomes of the prepared data of a mix row, and its samples: prepared ones where they are kept."""
    data = plan.data[entry.data]
    if data.view.streaming:
        return STREAMED, None
    if not data.here:
        return UNKNOWN, None
    key = key_of(plan, entry, phase.train, trainer)
    with suppress(DamagedError):
        known = find(key, entry.data) if key else None
        if known is not None:
            return REUSED, known
    samples = render(plan, entry.data, entry.template, entry.limit, catalog)
    return ANEW if plan.base else UNKNOWN, samples


def _mixed(
    phase: PhasePlan, rows: Sequence[Sequence[Prepared | Sample] | None]
) -> PhaseSamples[Prepared | Sample] | None:
    pools = tuple(
        Pool(samples=samples, weight=entry.weight, repeat=entry.repeat)
        for entry, samples in zip(phase.mix, rows, strict=True)
        if samples is not None
    )
    return PhaseSamples(pools=pools, seed=phase.seed) if len(pools) == len(rows) else None


def _steps(trainer: Trainer, samples: Sized | None) -> int | None:
    """Optimizer steps; None where the samples are not known and count for them."""
    if samples is not None:
        return trainer.steps(len(samples))
    try:
        return trainer.steps(None)
    except DataError:
        return None


def _tokens(plan: Plan, samples: Sequence[Prepared | Sample], catalog: Catalog) -> int:
    known = sum(len(sample.ids) for sample in samples if isinstance(sample, Prepared))
    model: Model = make(catalog, plan.model)
    unknown = [sample for sample in samples if isinstance(sample, Sample)]
    return known + (model.count_tokens(unknown) if unknown else 0)


def _count(plan: Plan, name: str, catalog: Catalog, shape: ModelShape) -> int:
    adapter: Adapter = make(catalog, plan.adapters[name])
    return adapter.count(shape)


def _known(ask: Callable[[], T], what: str, missing: dict[str, list[str]]) -> T | None:
    """Ask a model; None, and a note of the reason, where its files or the device are not here."""
    try:
        return ask()
    except (ModelError, MachineError) as error:
        if isinstance(error, ModelError) and error.code != _NOT_HERE:
            raise
        missing.setdefault(error.message, []).append(what)
        return None
