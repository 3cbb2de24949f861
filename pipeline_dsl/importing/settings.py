"""Tables of keys: which option a key is, of what type, and what the tool takes where it is not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pipeline_dsl.importing.draft import Said
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.syntax.nodes import Value

Type = Literal["whole", "number", "flag", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key that means what one option means."""

    key: str
    option: str
    type: Type
    default: Value = None
    """What the tool takes; None where a recipe need not say it."""
    least: int | None = None


def carry(reader: Reader, settings: Iterable[Setting], tool: str) -> dict[str, Said]:
    """Read keys into options; a default of the tool is written out and called that."""
    found: dict[str, Said] = {}
    for setting in settings:
        value = _value(reader, setting)
        if value is not None:
            found[setting.option] = Said(value=value)
        elif setting.default is not None:
            found.setdefault(setting.option, default(setting.default, tool))
    return found


def default(value: Value, tool: str, more: str = "") -> Said:
    """A value that the config does not say and the tool takes."""
    return Said(value=value, remark=f"{tool}'s default{more}")


def _value(reader: Reader, setting: Setting) -> Value:
    match setting.type:
        case "whole":
            return reader.whole(setting.key, setting.least)
        case "number":
            return reader.number(setting.key, setting.least)
        case "flag":
            return reader.flag(setting.key)
        case "text":
            return reader.text(setting.key)
