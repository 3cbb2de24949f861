"""Recipe and catalog to plan: every name resolved, every option checked, all findings collected."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import Row
from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.choose import Chosen, choose
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.data import data_in_use, look, missing_columns
from pipeline_dsl.plan.model import DataPlan, Plan, ProviderRef, TaskPlan
from pipeline_dsl.plan.phases import PhaseReader
from pipeline_dsl.plan.targets import missed_layers
from pipeline_dsl.recipe.data import block_and_part
from pipeline_dsl.recipe.model import DataBlock, Declared, Recipe, Task, Use
from pipeline_dsl.registry import Catalog
from pipeline_dsl.syntax.nodes import Mapping

HISTORY = ("jsonl", "sdn")
"""Trackers of every run: history is not optional."""
_ALONE = frozenset(
    code.code
    for code in (
        PlanCode.UNKNOWN_PROVIDER, PlanCode.CLASH, PlanCode.UNKNOWN_OPTION, PlanCode.OPTION_TYPE,
        PlanCode.OPTION_RANGE, PlanCode.OPTION_CHOICE, PlanCode.OPTION_DEPRECATED, PlanCode.BROKEN_PLUGIN,
    )
)  # fmt: skip
"""What is wrong with a block whatever else is wrong in it."""
_LOST = frozenset({PlanCode.UNKNOWN_PROVIDER.code, PlanCode.BROKEN_PLUGIN.code})
"""What may only follow from a plugin that could not be loaded."""


def check_recipe(
    recipe: Recipe,
    catalog: Catalog,
    *,
    device: str | None = None,
    max_samples: int | None = None,
    with_data: bool = True,
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """Make a plan, or say all that stands in its way.

    Args:
        recipe: what to plan.
        catalog: the installed plugins, and the recipe's own.
        device: instead of the recipe's.
        max_samples: at most so many rows of every data source, in training and in tasks.
        with_data: whether to look at files; without, the plan has no data and is of no use.
    """
    desk = _Desk(catalog, recipe.broken)
    desk.plugins(recipe)
    model = desk.one(Kind.MODEL, recipe.model)
    adapters = desk.named(Kind.ADAPTER, recipe.adapters)
    for finding in missed_layers(model, adapters, recipe.adapters) if model else ():
        desk.keep(finding)
    data = data_in_use(recipe, desk.data(recipe.data, recipe.seed, with_data=with_data))
    templates = {t.name.name: t.use for t in recipe.templates}
    desk.named(Kind.TEMPLATE, recipe.templates)
    tasks = [desk.task(task, templates) for task in recipe.tasks]
    reader = PhaseReader(
        recipe=recipe,
        desk=desk,
        templates=templates,
        metrics=desk.metrics,
        adapters=adapters,
        quantisation=model.made.quantisation if model else "",
    )
    phases = reader.read()
    trackers = desk.trackers(recipe)
    executor = desk.one(Kind.EXECUTOR, recipe.executor)
    if any(f.is_error for f in desk.findings) or model is None or executor is None:
        return None, tuple(desk.findings)
    plan = Plan(
        recipe=recipe.name.name,
        project=recipe.project,
        path=recipe.path,
        profile=recipe.profile,
        seed=recipe.seed,
        device=device or recipe.device,
        tags=recipe.tags,
        plugins=tuple(p.name for p in recipe.plugins),
        model=model.ref,
        adapters={name: chosen.ref for name, chosen in adapters.items()},
        data=data,
        tasks=tuple(t for t in tasks if t is not None),
        phases=phases,
        trackers=trackers,
        executor=executor.ref,
        max_samples=max_samples,
    )
    return plan, tuple(desk.findings)


class _Desk:
    """Resolves names and gathers findings while one recipe is checked."""

    def __init__(self, catalog: Catalog, broken: tuple[Span, ...]) -> None:
        self.catalog = catalog
        self.broken = broken
        self.lost = [plugin for plugin in catalog.broken if plugin.is_local]
        self.findings: list[Diagnostic] = []
        self.rows: dict[str, Sequence[Row]] = {}
        self.metrics: dict[str, Chosen] = {}
        self._seen: set[tuple[object, ...]] = set()

    def one(self, kind: Kind, use: Use, own: tuple[str, ...] = ()) -> Chosen | None:
        """Choose one provider, or what the recipe gives one of its ``own`` names; findings are kept once."""
        chosen, findings = choose(self.catalog, kind, use, own)
        spoilt = self._spoilt(use)
        for finding in findings:
            told = finding.span is not None and finding.span.overlaps(self.broken)
            lost = self.lost and finding.code in _LOST
            if not told and not lost and not (spoilt and finding.code not in _ALONE):
                self.keep(finding)
        return chosen

    def keep(self, finding: Diagnostic) -> None:
        """Keep a finding, once each place."""
        key = (finding.code, finding.message, finding.span)
        if key not in self._seen:
            self._seen.add(key)
            self.findings.append(finding)

    def _spoilt(self, use: Use) -> bool:
        """Whether part of a block is reported as wrong already."""
        spans = (use.options.span, *(entry.span for entry in use.options))
        return any(span.overlaps(self.broken) for span in spans)

    def plugins(self, recipe: Recipe) -> None:
        """Report plugin files that cannot be loaded; installed ones are told of when asked for."""
        places = {ref.name: ref.span for ref in recipe.plugins}
        for plugin in self.lost:
            self.keep(
                Diagnostic(
                    code=PlanCode.BROKEN_PLUGIN.code,
                    message=f"the plugin `{plugin.name}` could not be loaded: {plugin.reason}",
                    span=places.get(plugin.module),
                    help=f"repair {plugin.module}, or leave it out; all other plugins work",
                )
            )

    def named(self, kind: Kind, blocks: tuple[Declared, ...] | tuple[DataBlock, ...]) -> dict[str, Chosen]:
        """Choose a provider for every block."""
        found = {block.name.name: self.one(kind, block.use) for block in blocks}
        return {name: chosen for name, chosen in found.items() if chosen is not None}

    def data(self, blocks: tuple[DataBlock, ...], seed: int, *, with_data: bool) -> dict[str, DataPlan]:
        """Choose every source and, if that is wanted, look at its files and first rows."""
        plans = {}
        views = {block.name.name: block.view for block in blocks if not self._spoilt(block.use)}
        uses = {block.name.name: block.use for block in blocks}
        for name, chosen in self.named(Kind.SOURCE, blocks).items():
            if name not in views or not with_data:
                continue
            seen = look(name, chosen, views[name], seed, uses[name])
            self.rows[name] = seen.rows
            for finding in seen.findings:
                self.keep(finding)
            if seen.plan is not None:
                plans[name] = seen.plan
        return plans

    def template(self, use: Use, templates: dict[str, Use], data: str) -> Chosen | None:
        """Choose a template, those of ``templates`` first, and hold the data's columns against it."""
        declared = templates.get(use.name) if not use.options.entries else None
        chosen = self.one(Kind.TEMPLATE, declared or use, tuple(templates))
        rows = self.rows.get(block_and_part(data)[0])
        if chosen is not None and rows is not None:
            for finding in missing_columns(rows, chosen.made, data, declared or use, use.span):
                self.keep(finding)
        return chosen

    def task(self, task: Task, templates: dict[str, Use]) -> TaskPlan | None:
        """Resolve one task."""
        template = self.template(task.template, templates, task.data.name)
        metric = self.one(Kind.METRIC, task.metric)
        if metric is not None:
            self.metrics[task.name.name] = metric
        if template is None or metric is None:
            return None
        return TaskPlan(
            name=task.name.name,
            data=task.data.name,
            template=template.ref,
            metric=metric.ref,
            limit=task.limit,
            higher_is_better=metric.made.higher_is_better,
        )

    def trackers(self, recipe: Recipe) -> tuple[ProviderRef, ...]:
        """The history that every run keeps, then what the recipe adds."""
        asked = {use.name for use in recipe.trackers}
        always = [
            Use(name=name, options=Mapping((), recipe.name.span), span=recipe.name.span)
            for name in HISTORY
            if name not in asked
        ]
        found = [self.one(Kind.TRACKER, use) for use in (*always, *recipe.trackers)]
        return tuple(chosen.ref for chosen in found if chosen is not None)
