"""``export.json``: what an exported folder holds, written last."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_dsl import __version__
from pipeline_dsl.plan.hashing import file_digest
from pipeline_dsl.run.card_facts import CardFacts, ExportFacts

NAME = "export.json"
SCHEMA_VERSION = 1
Json = dict[str, Any]


def describe(facts: CardFacts, export: ExportFacts, folder: Path) -> Json:
    """Make the manifest of an export whose other files are all in ``folder``."""
    base = facts.plan.base
    return {
        "schema_version": SCHEMA_VERSION,
        "medrecipe": __version__,
        "exporter": f"{export.form.plugin}/{export.form.name}",
        "library": export.library,
        "recipe": facts.plan.recipe,
        "run": facts.run,
        "phase": facts.phase.name,
        "rejected": facts.stack.rejected,
        "fingerprint": facts.phase.fingerprint,
        "stack": [{"adapter": layer.name, "role": layer.role} for layer in facts.stack.layers],
        "base": asdict(base) if base else None,
        "dtype": export.dtype or (base.dtype if base else ""),
        "proof": asdict(export.proof) if export.proof else None,
        "files": files_in(folder),
    }


def files_in(folder: Path) -> Json:
    """Return size and sha256 of every file, by its name in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in paths
    }
