"""A Plan as JSON and back; ``to_json`` and ``from_json`` are inverse."""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import Fertility, ModelIdentity
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import (
    SCHEMA_VERSION,
    ContractPlan,
    DataFile,
    DataPlan,
    Estimate,
    HookPlan,
    Json,
    LayerPlan,
    MixPlan,
    PhasePlan,
    Plan,
    ProviderRef,
    StagePlan,
    TaskPlan,
    ViewPlan,
)


def to_json(plan: Plan) -> Json:
    """Return the plan as JSON."""
    return dataclasses.asdict(plan)


def from_json(data: Any) -> Plan:
    """Make a plan from what ``to_json`` returned, after a trip through a JSON file.

    Raises:
        ModelError: it is of another version, or no plan.
    """
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise _other(f"the plan is of version {version}, and this medrecipe reads version {SCHEMA_VERSION}")
    try:
        return _plan(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _other(f"the plan cannot be read: {type(error).__name__}: {error}") from error


def _other(message: str) -> ModelError:
    help_ = "go on with the medrecipe that made it, or start a new run"
    return ModelError(message, help=help_, code=PlanCode.OTHER_VERSION.code)


def _plan(data: Json) -> Plan:
    return Plan(
        **_without(
            data, "model", "adapters", "data", "tasks", "phases", "trackers", "executor", "base", "fertility"
        ),
        model=_ref(data["model"]),
        adapters={name: _ref(ref) for name, ref in data["adapters"].items()},
        data={name: _data(d) for name, d in data["data"].items()},
        tasks=tuple(_task(t) for t in data["tasks"]),
        phases=tuple(_phase(p) for p in data["phases"]),
        trackers=tuple(_ref(t) for t in data["trackers"]),
        executor=_ref(data["executor"]),
        base=ModelIdentity(**data["base"]) if data["base"] else None,
        fertility=Fertility(**data["fertility"]) if data["fertility"] else None,
    )


def _ref(data: Json) -> ProviderRef:
    return ProviderRef(**{**data, "kind": Kind(data["kind"]), "paths": tuple(data["paths"])})


def _data(data: Json) -> DataPlan:
    view = data["view"]
    return DataPlan(
        source=_ref(data["source"]),
        files=tuple(DataFile(**f) for f in data["files"]),
        view=ViewPlan(**{**view, "split": tuple(view["split"]), "group_by": tuple(view["group_by"])}),
        here=data["here"],
    )


def _task(data: Json) -> TaskPlan:
    return TaskPlan(**{**data, "template": _ref(data["template"]), "metric": _ref(data["metric"])})


def _phase(data: Json) -> PhasePlan:
    rest = _without(
        data, "parents", "after", "stack", "mix", "train", "retain", "hooks", "stages", "estimate"
    )
    return PhasePlan(
        **rest,
        parents=tuple(data["parents"]),
        after=tuple(data["after"]),
        stack=tuple(LayerPlan(**layer) for layer in data["stack"]),
        mix=tuple(MixPlan(**{**m, "template": _ref(m["template"])}) for m in data["mix"]),
        train=_ref(data["train"]),
        retain=tuple(ContractPlan(**c) for c in data["retain"]),
        hooks=tuple(HookPlan(**{**h, "do": _ref(h["do"])}) for h in data["hooks"]),
        stages=tuple(_stage(s) for s in data["stages"]),
        estimate=Estimate(**{**data["estimate"], "prepared": tuple(data["estimate"]["prepared"])}),
    )


def _stage(data: Json) -> StagePlan:
    template = _ref(data["template"]) if data["template"] else None
    return StagePlan(**{**data, "template": template, "tasks": tuple(data["tasks"])})


def _without(data: Json, *names: str) -> Json:
    lists = {"tags", "plugins"}
    return {k: tuple(v) if k in lists else v for k, v in data.items() if k not in names}
