"""``stack.json``: what an adapter stands on, so that it is never put on anything else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.records import StackReport
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.hashing import digest, file_digest
from pipeline_dsl.plan.model import LayerPlan, PhasePlan, Plan
from pipeline_dsl.run.folder import RunFolder

NAME = "stack.json"
SCHEMA_VERSION = 1
Json = dict[str, Any]
_AGAIN = "put the original files back, or train the phase again with --fresh"


def describe(
    plan: Plan,
    phase: PhasePlan,
    adapter: str,
    folder: Path,
    run: RunFolder,
    report: StackReport,
    stage: str | None = None,
) -> Json:
    """Make the manifest of an adapter whose files are in ``folder``; ``stage``: it is not finished yet."""
    files = _files(folder)
    return {
        "schema_version": SCHEMA_VERSION,
        "adapter": adapter,
        "phase": phase.name,
        "stage": stage,
        "recipe": plan.recipe,
        "fingerprint": phase.fingerprint,
        "sha256": digest(files),
        "files": files,
        **_scale(folder),
        "base": asdict(plan.base) if plan.base else None,
        "parents": [_parent(plan, layer, run, folder) for layer in below(phase)],
        "together": [
            {
                "adapter": x.adapter,
                "role": x.role,
                "folder": f"../{adapter_folder(run, phase, x.adapter).name}",
            }
            for x in phase.stack
            if x.adapter in phase.trained and x.adapter != adapter
        ],
        "merge": asdict(report.merge) if report.merge else None,
    }


def below(phase: PhasePlan) -> tuple[LayerPlan, ...]:
    """The layers of a stack that were finished before: what the phase's adapters stand on or go on from."""
    return tuple(layer for layer in phase.stack if layer.made_by is not None)


def read(folder: Path) -> Json:
    """Return an adapter's manifest after holding every file against it.

    Raises:
        ModelError: no manifest or one of another version, or a file is missing or is not what it was.
    """
    manifest = _manifest(folder)
    if (
        _files(folder, manifest["files"]) != manifest["files"]
        or digest(manifest["files"]) != manifest["sha256"]
    ):
        raise ModelError(f"the adapter in {folder} is not what its {NAME} says", code="MR466", help=_AGAIN)
    return manifest


def verify(plan: Plan, phase: PhasePlan, adapter: str, run: RunFolder, stage: str | None = None) -> Json:
    """Return the manifest of an adapter of this run after making sure that it is the one that belongs there.

    Raises:
        ModelError: it is damaged, it is another phase's or adapter's, or it stands on another base or on
            other adapters than those that are here.
    """
    folder = adapter_folder(run, phase, adapter, stage)
    manifest = read(folder)
    _refuse_other_base(adapter, manifest.get("base"), asdict(plan.base) if plan.base else None)
    found = manifest["fingerprint"], manifest["adapter"], manifest.get("stage")
    if found != (phase.fingerprint, adapter, stage):
        raise ModelError(
            f"the adapter in {folder} is `{manifest['adapter']}` of another phase than `{phase.name}`",
            code="MR467",
            help=_AGAIN,
        )
    if [parent["sha256"] for parent in manifest["parents"]] != stands_on(plan, phase, run):
        raise ModelError(
            f"the adapter `{adapter}` was trained on other adapters than those that are here",
            code="MR467",
            help=_AGAIN,
        )
    return manifest


def _refuse_other_base(adapter: str, found: Any, here: Json | None) -> None:
    """Raise ModelError where an adapter was trained on another base, or on the same in other bits."""
    if isinstance(found, dict) and here is not None and found != here:
        differs = ", ".join(
            f"{name} {found.get(name)!r} instead of {here.get(name)!r}"
            for name in sorted({*found, *here})
            if found.get(name) != here.get(name)
        )
        raise ModelError(
            f"the adapter `{adapter}` was trained on another base than the one that is here: {differs}",
            code="MR467",
            help="put it on the base that it was trained on, or train the phase again with --fresh",
        )


def stands_on(plan: Plan, phase: PhasePlan, run: RunFolder) -> list[str]:
    """The sha256 of each adapter of this run on which those of a phase stand or are to stand.

    Raises:
        ModelError: one of them is damaged.
    """
    makers = [(plan.phase(str(layer.made_by)), layer.adapter) for layer in below(phase)]
    return [read(adapter_folder(run, maker, name))["sha256"] for maker, name in makers]


def renamed(manifest: Json, plan: Plan, phase: PhasePlan, run: RunFolder) -> Json:
    """A manifest as it reads in a run in which phases may be called otherwise."""
    parents, own = [], adapter_folder(run, phase, manifest["adapter"])
    for layer, parent in zip(below(phase), manifest["parents"], strict=True):
        maker = plan.phase(str(layer.made_by))
        folder = _relative(adapter_folder(run, maker, layer.adapter), own)
        parents.append({**parent, "phase": maker.name, "folder": folder})
    return {**manifest, "phase": phase.name, "recipe": plan.recipe, "parents": parents}


def adapter_folder(run: RunFolder, phase: PhasePlan, adapter: str, stage: str | None = None) -> Path:
    """Where a phase's adapter is, as the phase or one of its stages left it."""
    folder = run.adapter(phase.name, adapter, alone=len(phase.trained) == 1)
    return folder if stage is None else folder.parent / "stages" / stage / folder.name


def _manifest(folder: Path) -> Json:
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"the adapter in {folder} has no readable {NAME}",
            code="MR466",
            help=f"it was not written by medrecipe, or is damaged: {_AGAIN}",
        ) from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise ModelError(
            f"{NAME} in {folder} is of version {version}, and this medrecipe reads version {SCHEMA_VERSION}",
            code=PlanCode.OTHER_VERSION.code,
            help="go on with the medrecipe that wrote it, or train the phase again with --fresh",
        )
    if not _is_whole(manifest):
        raise ModelError(f"{NAME} in {folder} is damaged", code="MR466", help=_AGAIN)
    whole: Json = manifest
    return whole


def _is_whole(manifest: Json) -> bool:
    files, parents = manifest.get("files"), manifest.get("parents")
    return (
        isinstance(files, dict)
        and bool(files)
        and all(Path(name).name == name for name in files)
        and isinstance(parents, Sequence)
        and all(isinstance(p, dict) and isinstance(p.get("sha256"), str) for p in parents)
        and all(isinstance(manifest.get(name), str) for name in ("adapter", "phase", "fingerprint", "sha256"))
    )


def _files(folder: Path, names: Json | None = None) -> Json:
    found = sorted(names) if names is not None else sorted(p.name for p in folder.iterdir() if p.name != NAME)
    paths = [folder / name for name in found if (folder / name).is_file()]
    return {p.name: {"bytes": p.stat().st_size, "sha256": file_digest(p)} for p in paths}


def _parent(plan: Plan, layer: LayerPlan, run: RunFolder, own: Path) -> Json:
    maker = plan.phase(str(layer.made_by))
    folder = adapter_folder(run, maker, layer.adapter)
    manifest = read(folder)
    return {
        "adapter": layer.adapter,
        "role": layer.role,
        "phase": maker.name,
        "folder": _relative(folder, own),
        "sha256": manifest["sha256"],
        "fingerprint": maker.fingerprint,
        "scale": manifest.get("scale"),
        "use_rslora": manifest.get("use_rslora"),
    }


def _relative(folder: Path, own: Path) -> str:
    """An adapter's folder as seen from another one's."""
    return Path(os.path.relpath(folder, own)).as_posix()


def _scale(folder: Path) -> Json:
    """How much the adapter's product counts: alpha / r, or alpha / sqrt(r) under rsLoRA.

    Kalajdzievski 2023. None for adapters that are no LoRA.
    """
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        r, alpha, rs = int(config["r"]), float(config["lora_alpha"]), bool(config.get("use_rslora"))
    except (OSError, ValueError, KeyError, TypeError):
        return {"scale": None, "use_rslora": None}
    return {"scale": alpha / (math.sqrt(r) if rs else r), "use_rslora": rs}
