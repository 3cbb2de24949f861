"""A finished run that a command uses, opened with the plugins that its plan names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pipeline_dsl.cli.prepare import Choices, catalog_for
from pipeline_dsl.run.finished import FinishedRun, open_run
from pipeline_dsl.run.history import locate_run


def open_used_run(runs: Path, run: str, choices: Choices, say: Callable[[str], None]) -> FinishedRun:
    """Open a run by its id or folder; MedrecipeError where it cannot be used."""
    catalog = catalog_for(local_plugins(locate_run(runs, run)), choices)
    return open_run(runs, run, catalog, device=choices.device, say=say)


def local_plugins(folder: Path) -> list[str]:
    """Return the plugin files that a run's plan names; none where it cannot be read."""
    try:
        return list(json.loads((folder / "plan.json").read_text("utf-8"))["plugins"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
