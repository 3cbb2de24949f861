"""``stack.json``: what an adapter stands on, so that it is never put on anything else."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import ModelError
from pipeline_dsl.api.records import StackReport
from pipeline_dsl.plan.hashing import digest, file_digest
from pipeline_dsl.plan.model import LayerPlan, PhasePlan, Plan
from pipeline_dsl.run.folder import RunFolder

NAME = "stack.json"
SCHEMA_VERSION = 1
Json = dict[str, Any]


def describe(
    plan: Plan, phase: PhasePlan, adapter: str, folder: Path, run: RunFolder, report: StackReport
) -> Json:
    """Make the manifest of an adapter whose files are in ``folder``."""
    below = [layer for layer in phase.stack if layer.adapter != adapter]
    files = _files(folder)
    return {
        "schema_version": SCHEMA_VERSION,
        "adapter": adapter,
        "phase": phase.name,
        "recipe": plan.recipe,
        "fingerprint": phase.fingerprint,
        "sha256": digest(files),
        "files": files,
        **_scale(folder),
        "base": asdict(plan.base) if plan.base else None,
        "parents": [_parent(plan, layer, run) for layer in below],
        "merge": asdict(report.merge) if report.merge else None,
    }


def read(folder: Path) -> Json:
    """Return an adapter's manifest after holding every file against it.

    Raises:
        ModelError: no manifest, or a file is missing or is not what it was.
    """
    try:
        manifest: Json = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the adapter in {folder} has no readable {NAME}",
            code="MR451",
            help="it was not written by medrecipe, or is damaged: train the phase again with --fresh",
        ) from error
    if _files(folder, manifest["files"]) != manifest["files"]:
        raise ModelError(
            f"the adapter in {folder} is not what its {NAME} says",
            code="MR451",
            help="its files were changed or damaged: train the phase again with --fresh",
        )
    return manifest


def verify_parent(manifest: Json, parent_folder: Path, expected: str) -> None:
    """Raise ModelError unless a parent's adapter is the one that was recorded as ``expected``."""
    found = read(parent_folder)["sha256"]
    if found != expected:
        raise ModelError(
            f"the adapter `{manifest['adapter']}` stands on another `{parent_folder.parent.name}` than the one here",
            code="MR452",
            help="put the original adapter back, or train this phase again",
        )


def _files(folder: Path, names: Json | None = None) -> Json:
    wanted = (
        sorted(names) if names is not None else sorted(p.name for p in folder.iterdir() if p.name != NAME)
    )
    found = {}
    for name in wanted:
        path = folder / name
        if path.is_file():
            found[name] = {"bytes": path.stat().st_size, "sha256": file_digest(path)}
    return found


def _parent(plan: Plan, layer: LayerPlan, run: RunFolder) -> Json:
    maker = plan.phase(str(layer.made_by))
    folder = run.adapter(maker.name, layer.adapter, alone=len(maker.trained) == 1)
    manifest = read(folder)
    return {
        "adapter": layer.adapter,
        "role": layer.role,
        "phase": maker.name,
        "folder": "../../" + folder.relative_to(run.path / "phases").as_posix(),
        "sha256": manifest["sha256"],
        "fingerprint": maker.fingerprint,
        "scale": manifest["scale"],
        "use_rslora": manifest["use_rslora"],
    }


def _scale(folder: Path) -> Json:
    """How much the adapter's product counts: alpha / r, or alpha / sqrt(r) under rsLoRA (Kalajdzievski 2023)."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        r, alpha, rs = int(config["r"]), float(config["lora_alpha"]), bool(config.get("use_rslora"))
    except (OSError, ValueError, KeyError):
        return {"scale": None, "use_rslora": None}
    return {"scale": alpha / (math.sqrt(r) if rs else r), "use_rslora": rs}
