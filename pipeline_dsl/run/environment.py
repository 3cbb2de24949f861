"""What a run stood on: versions, code, hardware. The one module of ``run`` that reads its surroundings."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline_dsl import __version__
from pipeline_dsl.plan.model import Plan


def environment(plan: Plan) -> dict[str, Any]:
    """Describe this machine and its software, as ``environment.json`` keeps it."""
    return {
        "schema_version": 1,
        "medrecipe": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "libraries": plan.libraries,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory(),
        "git": _git(Path(plan.path).parent),
        "command": sys.argv[:1] and Path(sys.argv[0]).name,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit of the recipe's repository and whether it has uncommitted changes; None outside of one."""
    commit = _ask_git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {
        "commit": commit,
        "dirty": bool(_ask_git(folder, "status", "--porcelain", "--untracked-files=no")),
    }


def _ask_git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
