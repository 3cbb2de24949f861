"""Checkpoints that can be trusted: a manifest, written last, of every file's size and sha256."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

MANIFEST = "complete.json"
PREFIX = "checkpoint-"
_BLOCK = 1 << 20


def seal(folder: Path) -> None:
    """Bring every file of a checkpoint to the disk, then write its manifest atomically."""
    manifest = {"files": {name: _measure(folder / name, sync=True) for name in _names(folder)}}
    partial = folder / f"{MANIFEST}.tmp"
    with partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps(manifest, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / MANIFEST)
    _sync_folder(folder)
    _sync_folder(folder.parent)


def is_sound(folder: Path) -> bool:
    """Whether a checkpoint's manifest is there and every file is what it says."""
    try:
        files: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return sorted(files) == _names(folder) and all(_measure(folder / n) == f for n, f in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def newest_sound(folder: Path) -> Path | None:
    """Return the newest checkpoint that can be trusted; newer ones that cannot are set aside by renaming."""
    for checkpoint in reversed(_checkpoints(folder)):
        if is_sound(checkpoint):
            return checkpoint
        _set_aside(checkpoint)
    return None


def discard_all(folder: Path) -> None:
    """Remove the checkpoints of an earlier training that is not gone on with."""
    for checkpoint in _checkpoints(folder):
        shutil.rmtree(checkpoint)


def rotate(folder: Path, keep: int | None) -> None:
    """Delete the oldest checkpoints beyond ``keep``; to be called when the newest is sealed."""
    for checkpoint in _checkpoints(folder)[: -keep if keep else 0]:
        shutil.rmtree(checkpoint, ignore_errors=True)


def step_of(checkpoint: Path) -> int:
    """Optimizer steps done when it was written."""
    return int(checkpoint.name.removeprefix(PREFIX))


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"{PREFIX}{step}"


def _checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a folder, sound or not, oldest first."""
    found = [p for p in folder.glob(f"{PREFIX}*") if p.name.removeprefix(PREFIX).isdecimal() and p.is_dir()]
    return sorted(found, key=step_of)


def _set_aside(checkpoint: Path) -> None:
    target = checkpoint.with_name(f"damaged-{checkpoint.name}")
    count = 1
    while target.exists():
        count += 1
        target = checkpoint.with_name(f"damaged-{checkpoint.name}-{count}")
    checkpoint.rename(target)


def _names(folder: Path) -> list[str]:
    """Relative names of the files that a manifest covers."""
    files = (p for p in folder.rglob("*") if p.is_file())
    names = (p.relative_to(folder).as_posix() for p in files)
    return sorted(name for name in names if name not in {MANIFEST, f"{MANIFEST}.tmp"})


def _measure(file: Path, *, sync: bool = False) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        if sync:
            os.fsync(stream.fileno())
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return {"size": size, "sha256": digest.hexdigest()}


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
