"""The stack of a phase, and the base under it: built from a plan and the folder of a run."""

from __future__ import annotations

from pipeline_dsl.api.contracts import Adapter, LanguageModel, Model
from pipeline_dsl.api.records import LoadRequest, Role, StackLayer, StackReport
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder


def load_base(plan: Plan, catalog: Catalog, seed: int) -> LanguageModel:
    """Load the untouched base."""
    model: Model = make(catalog, plan.model)
    with working(plan.model, "load"):
        return model.load(LoadRequest(device=plan.device, seed=seed))


def layers_of(
    plan: Plan, catalog: Catalog, run: RunFolder, phase: PhasePlan, *, trained: bool, stage: str | None = None
) -> list[StackLayer]:
    """Return the layers of a phase's stack, bottom first, after holding each file against its manifest.

    Args:
        plan: the run's.
        catalog: where its adapters come from.
        run: its folder.
        phase: whose stack.
        trained: take the adapters that the phase trained as finished, not as to be trained.
        stage: the finished stage from which they go on to be trained; None where they begin.

    Raises:
        ModelError: an adapter is damaged, or is not the one that belongs there.
    """
    layers = []
    for layer in phase.stack:
        own = layer.adapter in phase.trained
        here = own and (trained or stage is not None)
        maker = phase if here else plan.phase(layer.made_by) if layer.made_by else None
        folder = None
        if maker is not None:
            of = stage if here else None
            manifest.verify(plan, maker, layer.adapter, run, of)
            folder = manifest.adapter_folder(run, maker, layer.adapter, of)
        adapter: Adapter = make(catalog, plan.adapters[layer.adapter])
        role: Role = layer.role if not here else "freeze" if trained else "continue"
        layers.append(StackLayer(name=layer.adapter, role=role, adapter=adapter, folder=folder))
    return layers


def attach(plan: Plan, model: LanguageModel, layers: list[StackLayer]) -> StackReport:
    """Put a stack on a fresh base; ModelError where it does not fit."""
    top: Adapter = layers[-1].adapter
    with working(plan.adapters[layers[-1].name], "attach"):
        return top.attach(model, layers)
