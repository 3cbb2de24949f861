"""Putting a new text in the place of a file that people edit."""

from __future__ import annotations

import stat
from codecs import BOM_UTF8
from pathlib import Path

from pipeline_dsl.api.errors import MachineError
from pipeline_dsl.run.atomic import write_bytes


def replace_text(real: str, before: str, after: str) -> None:
    """Replace a file whole, keeping its mode and its byte-order mark.

    Args:
        real: its real path, so that a link stays one.
        before: its text as it was read.
        after: the new one.

    Raises:
        MachineError: it cannot be written, or holds something else than ``before`` by now.
    """
    path = Path(real)
    try:
        there, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise MachineError(f"cannot write {real}: {error.strerror}") from error
    mark = BOM_UTF8 if there.startswith(BOM_UTF8) else b""
    if there != mark + before.encode():
        raise MachineError(f"{real} changed while it was checked; it is left as it is", help="check it again")
    write_bytes(path, mark + after.encode(), mode=mode)
