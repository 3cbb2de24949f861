"""A folder's seal: ``complete.json``, written last, with the size and sha256 of every file and of itself."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pipeline_dsl.api import ModelError

MANIFEST = "complete.json"
FORMAT = 1
"""Of what checkpoints hold. Those from before it was counted have pickles."""
PICKLES = frozenset({".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"})
_BLOCK = 1 << 20
Json = dict[str, Any]


def seal(folder: Path) -> None:
    """Bring every file of a folder to the disk, then write its manifest atomically."""
    content = {
        "format": FORMAT,
        "files": {name: _measure(folder / name, sync=True) for name in _names(folder)},
    }
    write_whole(folder / MANIFEST, json.dumps({**content, "sha256": _digest(content)}, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Bring a file to the disk, wholly or not at all; its folder is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.tmp")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def fault(folder: Path) -> str | None:
    """Why a sealed folder cannot be trusted, in words that follow its name; None if it can.

    Nothing in it is read but its manifest and, as bytes, what that names.

    Raises:
        ModelError: MR468, it is of a newer format.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, Json] = dict(manifest["files"])
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{MANIFEST} is damaged"
    there, number = _names(folder), manifest.get("format", 0)
    if pickles := [name for name in there if Path(name).suffix in PICKLES]:
        return f"it has a pickle, {pickles[0]}, and pickles are never read"
    if number == 0:
        return "it is of an older format"
    if manifest.pop("sha256", None) != _digest(manifest):
        return f"{MANIFEST} is damaged"
    if number > FORMAT:
        raise _newer(folder, number)
    faults = (_fault_of(folder / name, name, files[name]) for name in sorted(files))
    found = next((why for why in faults if why is not None), None)
    surplus = next((name for name in there if name not in files), None)
    return found or (None if surplus is None else f"{surplus} does not belong to it")


def sync_folder(folder: Path) -> None:
    """Have a folder's names on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(content: Json) -> str:
    """Of a manifest, whatever its format, without its own ``sha256``."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _newer(folder: Path, number: int) -> ModelError:
    message = f"{folder.name} is of format {number}; this version reads up to {FORMAT}"
    help_ = "go on with the medrecipe that wrote it; nothing was changed"
    return ModelError(message, code="MR468", help=help_, place=str(folder))


def _fault_of(file: Path, name: str, sealed: Any) -> str | None:
    """What is wrong with one file that the manifest names."""
    try:
        size, digest = int(sealed["size"]), str(sealed["sha256"])
    except (KeyError, TypeError, ValueError):
        return f"{MANIFEST} is damaged"
    try:
        now = file.stat().st_size
        if now != size:
            return f"{name} has {now:,} bytes instead of {size:,}" if now else f"{name} is empty"
        return None if _measure(file)["sha256"] == digest else f"{name} is not what was written"
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror or error}"


def _names(folder: Path) -> list[str]:
    """Relative names of the files that a manifest covers."""
    files = (p for p in folder.rglob("*") if p.is_file())
    names = (p.relative_to(folder).as_posix() for p in files)
    return sorted(name for name in names if name not in {MANIFEST, f".{MANIFEST}.tmp"})


def _measure(file: Path, *, sync: bool = False) -> Json:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        if sync:
            os.fsync(stream.fileno())
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return {"size": size, "sha256": digest.hexdigest()}
