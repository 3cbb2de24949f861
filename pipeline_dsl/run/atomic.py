"""The one way to write: a file is complete under its name or not there at all, also after a power cut.

A write that the system refuses is a MachineError that names the file; what was there before stays.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import MachineError


def write_bytes(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file: temporary file beside it, fsync, rename, fsync of the folder.

    It gets the permissions ``mode``; those of a new file where nothing is said.
    """
    temporary = _beside(path)
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                if mode is not None:
                    temporary.chmod(mode)
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace a file by indented JSON."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False) + "\n")


def append_line(path: Path, line: str) -> None:
    """Append one line, on disk when this returns; one that cannot be written whole is taken back."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        before = os.fstat(descriptor).st_size
        try:
            left = (line + "\n").encode()
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)


def mend_lines(path: Path) -> None:
    """Set a last line that was cut off aside, into ``NAME.torn``, so that the next one begins a line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_bytes(path.with_name(f"{path.name}.torn"), content[len(whole) :])
        write_bytes(path, whole)


def make_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Have ``fill`` write a folder's files beside it, then put the whole folder in its place.

    A folder of that name that is there already goes away.
    """
    temporary, old = _beside(path), _beside(path.with_name(f"{path.name}.old"))
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            fill(temporary)
            _sync_tree(temporary)
            _swap(temporary, path, old)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)
        sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half written anywhere in a folder that nobody else writes to."""
    for path in sorted(folder.rglob(".*.tmp")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Have a folder's names on disk, where the system can do that."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows cannot open folders; its renames are journalled
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"cannot write {path}: {error.strerror or error}",
            help="what was written before is whole: make room, or allow writing there, and resume",
        ) from error


def _beside(path: Path) -> Path:
    """Where a file or folder is made before it gets its name; ``sweep`` finds it."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _swap(new: Path, path: Path, old: Path) -> None:
    """Put a folder in the place of another, which comes back if that fails."""
    if not path.exists():
        new.replace(path)
        return
    path.replace(old)
    try:
        new.replace(path)
    except BaseException:
        old.replace(path)
        raise


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    sync_folder(folder)
