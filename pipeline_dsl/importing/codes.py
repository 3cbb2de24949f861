"""Every finding of an import: a stable code and what it is about, in one line."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """One kind of finding; equal to its code as a string, with a ``title``."""

    title: str  # type: ignore[assignment]  # str.title has no use on a code

    def __new__(cls, code: str, title: str) -> Self:
        """Make a member out of its code and its title."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.title = title
        return member

    YAML = "MR270", "a YAML text that cannot be read"
    NO_CONFIG = "MR271", "a file that is no training config"
    DUPLICATE = "MR272", "a key twice in a config"
    TAG = "MR273", "a YAML tag that is not plain data"
    UNKNOWN_TOOL = "MR274", "a config whose tool cannot be told"
    NO_LORA = "MR275", "a training that no stack of LoRA adapters can be"
    DATA_FORM = "MR276", "data of a form that no source or template takes"
    WRONG_VALUE = "MR277", "a value in a config that cannot be meant"
    MISSING = "MR278", "something that a config does not say"
    PARENT = "MR279", "an earlier LoRA that no given file makes"
