"""Where what was built or fetched is kept between runs, and how it comes there whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline_dsl.api import MachineError


def user_cache() -> Path:
    """Return our folder in the user's cache: ``$XDG_CACHE_HOME/medrecipe``, else ``~/.cache/medrecipe``.

    The only environment variable that the built-in plugins read.
    """
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if Path(root).is_absolute() else Path.home() / ".cache") / "medrecipe"


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """Give a path to write a file to, which then takes the place of ``target``, whole and on disk.

    Raises:
        MachineError: the file cannot be kept (no room, no right).
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".fetching-", suffix=".tmp", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        message = f"what is fetched cannot be kept: {error.strerror or type(error).__name__}"
        raise MachineError(
            message, place=str(target.parent), help="make room or let it be written"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def keep_json(target: Path, value: dict[str, Any]) -> None:
    """Write a small JSON file, whole or not at all."""
    with appearing(target) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def kept_json(path: Path) -> dict[str, Any]:
    """Read a small JSON file of ours; one that is missing or damaged says nothing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
