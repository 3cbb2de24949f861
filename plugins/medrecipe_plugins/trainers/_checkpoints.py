"""Checkpoints that can be trusted: a manifest, written last, of every file's size and sha256.

Beside the checkpoints lie the weights that the training was told to keep, ``kept-STEP``: the last of them are
its result. Which of them counts at a step follows from their names alone: the newest that is not younger. So
a checkpoint can be gone on from as long as the weights that counted at its step are there and sound, and
these stay as long as it does.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MANIFEST = "complete.json"
PREFIX = "checkpoint-"
KEPT = "kept-"
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


def begin(folder: Path, *, resume: bool) -> Path | None:
    """Make a folder ready for a training; return the checkpoint from which it goes on.

    That is the newest that can be trusted; newer ones that cannot are set aside by renaming. Weights that
    were kept after it go away: the training comes to their step again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = _newest_sound(folder) if resume else None
    if chosen is None:
        for checkpoint in _numbered(folder, PREFIX):
            shutil.rmtree(checkpoint)
    for kept in _numbered(folder, KEPT):
        if chosen is None or step_of(kept) > step_of(chosen):
            shutil.rmtree(kept)
    return chosen


def rotate(folder: Path, limit: int | None) -> None:
    """Delete the oldest checkpoints beyond ``limit``; to be called when the newest is sealed."""
    for checkpoint in _numbered(folder, PREFIX)[: -limit if limit else 0]:
        shutil.rmtree(checkpoint, ignore_errors=True)
    _release(folder)


def keep(folder: Path, step: int, write: Callable[[Path], None]) -> None:
    """Keep the weights of a step, in the place of those kept before; ``write`` puts them into a folder."""
    target = folder / f"{KEPT}{step}"
    if target.exists():
        return
    partial = folder / f".{target.name}.tmp"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write(partial)
        seal(partial)
        partial.replace(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _sync_folder(folder)
    _release(folder)


def kept(folder: Path, step: int | None = None) -> Path | None:
    """The kept weights that count at a step, or at the end; None where none do."""
    return _counting(_numbered(folder, KEPT), step)


def step_of(checkpoint: Path) -> int:
    """Optimizer steps done when it was written."""
    return int(checkpoint.name.rpartition("-")[2])


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"{PREFIX}{step}"


def _newest_sound(folder: Path) -> Path | None:
    for checkpoint in reversed(_numbered(folder, PREFIX)):
        counting = kept(folder, step_of(checkpoint))
        if is_sound(checkpoint) and (counting is None or is_sound(counting)):
            return checkpoint
        _set_aside(checkpoint)
    return None


def _release(folder: Path) -> None:
    """Delete kept weights that count neither now nor at a checkpoint."""
    every = _numbered(folder, KEPT)
    steps = [None, *(step_of(checkpoint) for checkpoint in _numbered(folder, PREFIX))]
    counting = {_counting(every, step) for step in steps}
    for found in every:
        if found not in counting:
            shutil.rmtree(found, ignore_errors=True)


def _counting(every: Sequence[Path], step: int | None) -> Path | None:
    return next((k for k in reversed(every) if step is None or step_of(k) <= step), None)


def _numbered(folder: Path, prefix: str) -> list[Path]:
    """Folders of that name with a step, sound or not, oldest first."""
    found = [p for p in folder.glob(f"{prefix}*") if p.name.removeprefix(prefix).isdecimal() and p.is_dir()]
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
