"""Names for what a config leaves nameless: a recipe's, its data's, its adapters'."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

_LONGEST = 40


def name_of(text: str, otherwise: str) -> str:
    """Make a recipe's name of a path, a title or a name of the hub; ``otherwise`` where nothing is left."""
    stem = PurePosixPath(text.rstrip("/")).name
    stem = re.sub(r"\.(?:jsonl?|ndjson|csv|tsv|parquet|txt|md|ya?ml|sdn|gz)$", "", stem)
    stem = re.sub(r"\.(?:jsonl?|csv|tsv|txt)$", "", stem)
    kept = "".join(c if _fits(c) else "_" for c in unicodedata.normalize("NFC", stem))
    return re.sub(r"_+", "_", kept).strip("_-")[:_LONGEST].strip("_-") or otherwise


def distinct(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, free = 2, name
    while free in taken:
        free = f"{name}_{number}"
        number += 1
    return free


def _fits(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in "_-"
    return "\uac00" <= char <= "\ud7a3" or "\u4e00" <= char <= "\u9fff"
