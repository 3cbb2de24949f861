"""File names in the form of Unicode in which a file system has them."""

from __future__ import annotations

import unicodedata
from pathlib import Path


def as_spelt_on_disk(path: Path) -> Path:
    """Return a path as it is; where only its NFC or NFD spelling leads to something, that one.

    What looks like one Korean file name may be two: archives made on a Mac hold NFD, everybody types NFC.
    """
    text = str(path)
    if text.isascii():
        return path
    spellings = (path, *(Path(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")))
    return next((spelling for spelling in spellings if _is_there(spelling)), path)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
