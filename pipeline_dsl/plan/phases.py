"""Phases of a recipe to phases of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import StackLayer
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan import hooks
from pipeline_dsl.plan.choose import Chosen, told
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import ContractPlan, HookPlan, LayerPlan, MixPlan, PhasePlan
from pipeline_dsl.plan.stages import StageReader
from pipeline_dsl.plan.streams import without_end
from pipeline_dsl.recipe.model import Contract, MixEntry, Phase, Recipe, Use
from pipeline_dsl.recipe.order import makers


class Desk(hooks.Desk, Protocol):
    """Resolves names and keeps findings."""

    def template(self, use: Use, templates: dict[str, Use], data: str) -> Chosen | None:
        """Choose a template for a data source."""


class PhaseReader:
    """Reads the phases of one recipe."""

    def __init__(
        self,
        *,
        recipe: Recipe,
        desk: Desk,
        templates: dict[str, Use],
        metrics: Mapping[str, Chosen],
        adapters: Mapping[str, Chosen],
        quantisation: str,
    ) -> None:
        self._recipe = recipe
        self._desk = desk
        self._templates = templates
        self._metrics = metrics
        self._hooks = hooks.HookReader(recipe, desk, metrics)
        self._stages = StageReader(recipe, desk, templates, metrics)
        self._adapters = adapters
        self._quantisation = quantisation
        self._makers = makers(recipe)

    def read(self) -> tuple[PhasePlan, ...]:
        """Return the phases that could be read, in order of execution."""
        everywhere = [self._hooks.read(hook) for hook in self._recipe.hooks]
        phases = [self._phase(phase, everywhere) for phase in self._recipe.phases]
        read = tuple(p for p in phases if p is not None)
        self._hooks.finish(task for phase in read for stage in phase.stages for task in stage.tasks)
        return read

    def _phase(self, phase: Phase, everywhere: list[HookPlan | None]) -> PhasePlan | None:
        train = self._desk.one(Kind.TRAINER, phase.train)
        mix = self._mix(phase.mix)
        stages = self._stages.read(phase)
        bound = [*everywhere, *(self._hooks.read(hook) for hook in phase.hooks)]
        self._one_provider(phase)
        self._merged_into_bits(phase)
        self._buildable(phase)
        stack = tuple(
            LayerPlan(
                adapter=entry.adapter.name,
                role=entry.role,
                made_by=None
                if entry.role == "train"
                else self._makers.get((phase.name.name, entry.adapter.name)),
            )
            for entry in phase.stack
        )
        if train is None:
            return None
        self._desk.findings.extend(without_end(self._recipe, phase, train))
        return PhasePlan(
            name=phase.name.name,
            task=phase.task.name if phase.task else None,
            parents=tuple(dict.fromkeys(layer.made_by for layer in stack if layer.made_by is not None)),
            after=tuple(ref.name for ref in phase.after),
            stack=stack,
            mix=mix,
            train=train.ref,
            retain=tuple(self._contract(contract) for contract in phase.retain),
            hooks=tuple(h for h in bound if h is not None),
            seed=self._recipe.seed if phase.seed is None else phase.seed,
            stages=stages,
        )

    def _mix(self, entries: Iterable[MixEntry]) -> tuple[MixPlan, ...]:
        chosen = [(e, self._desk.template(e.template, self._templates, e.data.name)) for e in entries]
        total = sum(entry.weight for entry, _ in chosen) or 1.0
        return tuple(
            MixPlan(
                data=entry.data.name,
                template=template.ref,
                weight=entry.weight / total,
                limit=entry.limit,
                repeat=entry.repeat,
            )
            for entry, template in chosen
            if template is not None
        )

    def _one_provider(self, phase: Phase) -> None:
        kinds = {
            (chosen.ref.plugin, chosen.ref.name): entry
            for entry in phase.stack
            if (chosen := self._adapters.get(entry.adapter.name)) is not None
        }
        if len(kinds) > 1:
            names = " and ".join(f"`{name}`" for _, name in kinds)
            self._desk.findings.append(
                Diagnostic(
                    code=PlanCode.MIXED_STACK.code,
                    message=f"the stack of `{phase.name.name}` holds adapters of the providers {names}",
                    span=list(kinds.values())[-1].adapter.span,
                    help="use one provider for all adapters of a stack",
                )
            )

    def _merged_into_bits(self, phase: Phase) -> None:
        """Find adapters that are merged into a quantised base, which would round their training away."""
        for entry in phase.stack:
            if self._quantisation and entry.role == "merge":
                name = entry.adapter.name
                self._desk.findings.append(
                    Diagnostic(
                        code=PlanCode.MERGE_INTO_QUANTISED.code,
                        message=f"`{name}` is merged into a base that is quantised ({self._quantisation})",
                        span=entry.span,
                        help=f"write `{name}, freeze`: it stays active below the others",
                    )
                )

    def _buildable(self, phase: Phase) -> None:
        """Find what the adapters' provider cannot put on a model together."""
        chosen = [self._adapters.get(entry.adapter.name) for entry in phase.stack]
        layers = [
            StackLayer(name=entry.adapter.name, role=entry.role, adapter=found.made, folder=None)
            for entry, found in zip(phase.stack, chosen, strict=True)
            if found is not None
        ]
        if not layers or len(layers) < len(phase.stack):
            return
        ask = getattr(layers[-1].adapter, "verify_stack", None)
        if ask is not None and len({type(layer.adapter) for layer in layers}) == 1:
            try:
                ask(layers)
            except ModelError as error:
                self._desk.findings.append(told(error, phase.stack[-1].adapter.span))

    def _contract(self, contract: Contract) -> ContractPlan:
        metric = self._metrics.get(contract.task.name)
        if contract.rise is not None and metric is not None and metric.made.higher_is_better:
            self._desk.findings.append(
                Diagnostic(
                    code=PlanCode.RISE_OF_HIGH_SCORE.code,
                    message=f"`rise` limits a score that should be low, but {metric.ref.name} should be high",
                    span=contract.task.span,
                    help="write `keep: 0.98` or `drop: 0.02`",
                )
            )
        return ContractPlan(
            task=contract.task.name,
            keep=contract.keep,
            drop=contract.drop,
            rise=contract.rise,
            otherwise=contract.otherwise,
        )
