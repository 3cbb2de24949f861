"""Fingerprints: what makes two phases the same phase.

A phase's fingerprint covers its meaning with defaults filled in, the content of its data, its templates, the
base and how it is loaded, its parents' fingerprints in order, provider and library versions, seed and kind of
device. Its text, its place, its neighbours, paths, hooks that only watch and contracts (which are judged
anew each time) do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import DataFile, DataPlan, PhasePlan, Plan, ProviderRef, StagePlan, TaskPlan

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers")
WATCHING = frozenset({"actions/log", "actions/evaluate", "actions/checkpoint"})
"""Built-in actions, in full names, that by themselves never change what is learned."""
_BLIND = frozenset({"actions/log", "actions/checkpoint", "actions/stop"})
"""Those that never score a task."""
_CHUNK = 1 << 20


def hash_files(plan: Plan) -> Plan:
    """Return the plan with the content of every data file that is here and the library versions in it.

    Raises:
        DataError: a file cannot be read.
    """
    once = {file.path: file for planned in plan.data.values() for file in planned.files}
    hashed = {path: hash_file(file) for path, file in once.items()}
    data = {
        name: replace(planned, files=tuple(hashed[file.path] for file in planned.files))
        for name, planned in plan.data.items()
    }
    return replace(plan, data=data, libraries=library_versions())


def library_versions() -> dict[str, str]:
    """Versions of the libraries on which results depend; "" for one that is not there."""
    return {name: _version(name) for name in LIBRARIES}


def verify_files(plan: Plan, names: Collection[str] | None = None) -> None:
    """Raise DataError if a file (of the named data sources) is not what it was when the plan was made."""
    for data in (d for name, d in plan.data.items() if names is None or name in names):
        for file in data.files:
            if hash_file(file).sha256 != file.sha256:
                raise DataError(
                    f"{file.path} changed since this run was planned",
                    code=PlanCode.DATA_CHANGED.code,
                    help="put the file back, or start a new run",
                )


def fingerprint(plan: Plan) -> Plan:
    """Return the plan with fingerprints of tasks and, where the base is known, of phases.

    What stands on data that is not here yet has none.
    """
    tasks = tuple(
        replace(t, fingerprint=_task(plan, t) if plan.data[t.data].here else "") for t in plan.tasks
    )
    if plan.base is None:
        return replace(plan, tasks=tasks)
    done: dict[str, str] = {}
    phases = []
    for phase in plan.phases:
        done[phase.name] = _phase(plan, phase, done) if _is_known(plan, phase, done) else ""
        phases.append(replace(phase, fingerprint=done[phase.name]))
    return replace(plan, tasks=tasks, phases=tuple(phases))


def base_fingerprint(plan: Plan) -> str:
    """What makes two untouched bases the same for scoring; "" where the base is not known yet."""
    return digest(_base(plan)) if plan.base else ""


def digest(value: Any) -> str:
    """Sha256 of a JSON value, independent of the order of keys."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def data_meaning(data: DataPlan) -> dict[str, Any]:
    """What makes two sets of rows the same, as JSON: content instead of paths, and what is made of the rows.

    Whether personal data is denied changes no row.
    """
    source = _placeless(data.source) if data.files else data.source
    view = {name: value for name, value in asdict(data.view).items() if name != "pii"}
    return {"source": _ref(source), "files": [f.sha256 for f in data.files], "view": view}


def file_digest(path: Path) -> str:
    """Sha256 of a file's content."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def hash_file(file: DataFile) -> DataFile:
    """Return a file with its content's hash and its size, or raise DataError where it cannot be read."""
    path = Path(file.path)
    try:
        return replace(file, sha256=file_digest(path), bytes=path.stat().st_size)
    except OSError as error:
        raise DataError(f"cannot read {file.path}: {error.strerror}", code="MR502") from error


def _task(plan: Plan, task: TaskPlan) -> str:
    return digest(
        {
            "data": data_meaning(plan.data[task.data]),
            "template": _ref(task.template),
            "metric": _ref(task.metric),
            "limit": task.limit,
            "max_samples": plan.max_samples,
        }
    )


def _phase(plan: Plan, phase: PhasePlan, done: dict[str, str]) -> str:
    return digest(
        {
            **_base(plan),
            "stack": [
                {
                    "adapter": _ref(plan.adapters[layer.adapter]),
                    "name": layer.adapter,
                    "role": layer.role,
                    "from": done[layer.made_by] if layer.made_by else None,
                }
                for layer in phase.stack
            ],
            "mix": [
                {
                    "data": data_meaning(plan.data[m.data]),
                    "template": _ref(m.template),
                    "weight": m.weight,
                    "limit": m.limit,
                    "repeat": m.repeat,
                }
                for m in phase.mix
            ],
            "train": _ref(phase.train),
            "hooks": _steering(plan, phase),
            "seed": phase.seed,
            **({"stages": [_stage(plan, s) for s in phase.stages]} if phase.stages else {}),
            "max_samples": plan.max_samples,
        }
    )


def _stage(plan: Plan, stage: StagePlan) -> dict[str, Any]:
    """What makes two stages the same: all but the name."""
    return {
        "template": _ref(stage.template) if stage.template else None,
        "samples": stage.samples,
        "until": stage.until,
        "tasks": [[name, _task(plan, plan.task(name))] for name in stage.tasks],
        "at_most": stage.at_most,
    }


def _is_known(plan: Plan, phase: PhasePlan, done: dict[str, str]) -> bool:
    """Whether all data is here that has a say in a phase, and in those that it stands on."""
    names = {entry.data for entry in phase.mix}
    if _steering(plan, phase):
        names |= {task.data for task in plan.tasks}
    parents = [layer.made_by for layer in phase.stack if layer.made_by]
    return all(plan.data[name].here for name in names) and all(done[name] for name in parents)


def _base(plan: Plan) -> dict[str, Any]:
    return {
        "base": asdict(plan.base) if plan.base else None,
        "model": _ref(_placeless(plan.model)),
        "device": plan.device.split(":")[0],
        "libraries": plan.libraries,
    }


def _steering(plan: Plan, phase: PhasePlan) -> list[Any]:
    """The hooks that may change what is learned, with those and the tasks that give them scores."""
    names = [f"{h.do.plugin}/{h.do.name}" for h in phase.hooks]
    if WATCHING.issuperset(names):
        return []
    scoring = not _BLIND.issuperset(names)
    counted = [
        {**asdict(hook), "do": _ref(hook.do)}
        for hook, name in zip(phase.hooks, names, strict=True)
        if name not in WATCHING or name not in _BLIND
    ]
    return [*counted, *([t.name, _task(plan, t)] for t in plan.tasks if scoring)]


def _placeless(ref: ProviderRef) -> ProviderRef:
    """A provider without the options that only say where something is."""
    return replace(ref, options={k: v for k, v in ref.options.items() if k not in ref.paths})


def _ref(ref: ProviderRef) -> dict[str, Any]:
    return {
        "name": f"{ref.plugin}/{ref.name}",
        "version": ref.version,
        "options": ref.options,
        "content": ref.content,
    }


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
