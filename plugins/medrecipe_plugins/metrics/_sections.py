"""The parts of a worked answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

FIELDS = ("translate", "reasoning", "facts", "candidates", "criteria", "analysis", "evaluation", "answer")
SUBFIELDS = ("평가기준", "점수표", "근거요약")
_HEADING = re.compile(rf"^[ \t]*({'|'.join(FIELDS)}):[ \t]*", re.MULTILINE)
_SUBHEADING = re.compile(rf"^[ \t\-]*({'|'.join(SUBFIELDS)})[ \t]*[:：][ \t]*", re.MULTILINE)


def sections(text: str) -> Mapping[str, str]:
    """Return what follows each heading, up to the next; the first of each name counts.

    ``reasoning`` holds its five parts.
    """
    found = _cut(_HEADING, text)
    if "reasoning" in found:
        inner = (found.get(name, "") for name in FIELDS[2:7])
        found["reasoning"] = "\n".join(part for part in (found["reasoning"], *inner) if part)
    return found


def format_share(found: Mapping[str, str]) -> float:
    """Share of the headings that are there."""
    return sum(name in found for name in FIELDS) / len(FIELDS)


def content_share(found: Mapping[str, str]) -> float:
    """Share of the fields that are there and not empty; each sub-field of the evaluation is a third of it."""
    whole = sum(bool(found.get(name)) for name in FIELDS if name != "evaluation")
    parts = _cut(_SUBHEADING, found.get("evaluation", ""))
    return (whole + sum(bool(parts.get(name)) for name in SUBFIELDS) / len(SUBFIELDS)) / len(FIELDS)


def _cut(heading: re.Pattern[str], text: str) -> dict[str, str]:
    marks = list(heading.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):  # without marks there is one end too many
        found.setdefault(mark.group(1), text[mark.end() : end].strip())
    return found
