"""Where things lie: a config's paths count from the working directory, a recipe's from its own folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_KINDS = {
    ".jsonl": "jsonl",
    ".json": "json",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".txt": "text",
    ".md": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folder that relative paths of a config count from, and the one in which the recipe will lie."""

    working: Path
    recipe: Path

    def written(self, path: str) -> str:
        """Write a path of the config as the recipe has to; addresses and absolute paths stay."""
        if is_address(path) or Path(path).is_absolute() or path.startswith("~"):
            return path
        moved = os.path.relpath(self.working / path, self.recipe)
        return Path(moved).as_posix()

    def here(self, path: str) -> Path:
        """Where a path of the config is on this machine."""
        return self.working / Path(path).expanduser() if path.startswith("~") else self.working / path

    def is_file(self, path: str) -> bool:
        """Whether a path of the config is a file here."""
        return not is_address(path) and _state(self.here(path)) == "file"

    def is_folder(self, path: str) -> bool:
        """Whether a path of the config is a folder here."""
        return not is_address(path) and _state(self.here(path)) == "folder"


def is_address(path: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/rows.jsonl``."""
    return "://" in path


def kind_of_file(path: str) -> str | None:
    """The source that reads a file of this name, None where the name does not say it."""
    name = path.lower().removesuffix(".gz")
    return next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), None)


def _state(path: Path) -> str:
    try:
        if path.is_file():
            return "file"
        return "folder" if path.is_dir() else ""
    except (OSError, ValueError):
        return ""
