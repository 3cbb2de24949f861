"""A look at rows that lie on this machine: how many, and what the first one has. Nothing is ever fetched."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_BYTES = 256 << 20
"""A larger file is not counted."""
_FIRST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look showed; nothing where there is no file to look at."""

    count: int | None = None
    first: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None
    """The source that reads a file of JSON, whatever its name: ``json`` a list, ``jsonl`` a row a line."""


def look(path: Path, kind: str) -> Seen:
    """Look at a file; what cannot be read is said by ``check``, not here."""
    try:
        if path.suffix == ".gz" or not path.is_file() or path.stat().st_size > MOST_BYTES:
            return Seen()
        if kind in ("json", "jsonl"):
            return _json(path)
        if kind == "csv":
            return _table(path)
        return Seen(count=_lines(path), first={"text": ""}) if kind == "text" else Seen()
    except (OSError, ValueError, csv.Error, RecursionError):
        return Seen()


def _json(path: Path) -> Seen:
    with path.open(encoding="utf-8-sig") as file:
        line = next((line for line in iter(lambda: file.readline(_FIRST), "") if line.strip()), "")
    if line.lstrip().startswith("["):
        return _listed(path)
    row = json.loads(line) if line else {}
    return Seen(count=_lines(path), first=row if isinstance(row, dict) else {}, kind="jsonl")


def _listed(path: Path) -> Seen:
    rows = json.loads(path.read_text(encoding="utf-8-sig"))
    return Seen(count=len(rows), first=rows[0] if rows and isinstance(rows[0], dict) else {}, kind="json")


def _table(path: Path) -> Seen:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix in {".tsv", ".tab"} else ",")
        first = next(rows, {})
        return Seen(count=sum(1 for _ in rows) + bool(first), first=first)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
