"""What a plan will cost: samples, steps, tokens, trainable parameters; from data, shapes and tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pipeline_dsl.api.contracts import Adapter, Model, Trainer
from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.records import ModelShape
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.hashing import fingerprint
from pipeline_dsl.plan.mix import phase_samples
from pipeline_dsl.plan.model import Estimate, PhasePlan, Plan
from pipeline_dsl.registry import Catalog

T = TypeVar("T")


def identify(plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> Plan:
    """Have the base's files there (download, build) and return the plan with its identity and fingerprints.

    Raises:
        ModelError: the base cannot be had.
    """
    model: Model = make(catalog, plan.model)
    model.prepare(say)
    return fingerprint(replace(plan, base=model.identity()))


def estimate(plan: Plan, catalog: Catalog, say: Callable[[str], None]) -> Plan:
    """Return the plan with estimates, and with fingerprints where the base's files are there.

    Nothing is downloaded or built: what cannot be known yet stays None, and ``say`` tells why.

    Raises:
        DataError: rows that cannot become samples.
        ModelError: adapters whose targets the model does not have.
    """
    model: Model = make(catalog, plan.model)
    base = _known(model.identity, say)
    shape = _known(model.shape, say if base else _quiet)
    if shape is not None and shape.note:
        say(shape.note)
    planned = fingerprint(replace(plan, base=base))
    phases = tuple(replace(p, estimate=_phase(planned, p, catalog, shape)) for p in planned.phases)
    return replace(planned, phases=phases)


def _phase(plan: Plan, phase: PhasePlan, catalog: Catalog, shape: ModelShape | None) -> Estimate:
    samples = phase_samples(plan, phase, catalog)
    trainer: Trainer = make(catalog, phase.train)
    counts = (
        {layer.adapter: _count(plan, layer.adapter, catalog, shape) for layer in phase.stack} if shape else {}
    )
    attached = [layer.adapter for layer in phase.stack if layer.role != "merge"]
    tokens = None
    if plan.base is not None:
        model: Model = make(catalog, plan.model)
        tokens = model.count_tokens(samples.epoch(0))
    return Estimate(
        samples=len(samples),
        steps=trainer.steps(len(samples)),
        tokens=tokens,
        trainable_parameters=sum(counts[name] for name in phase.trained) if shape else None,
        total_parameters=shape.parameters + sum(counts[name] for name in attached) if shape else None,
    )


def _count(plan: Plan, name: str, catalog: Catalog, shape: ModelShape) -> int:
    adapter: Adapter = make(catalog, plan.adapters[name])
    return adapter.count(shape)


def _known(ask: Callable[[], T], say: Callable[[str], None]) -> T | None:
    try:
        return ask()
    except ModelError as error:
        say(f"not known yet: {error.message}")
        return None


def _quiet(_line: str) -> None:
    """Say nothing: the same reason was said already."""
