"""Names that users give: they become names of folders and files."""

from __future__ import annotations

import re
import unicodedata

from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.refs import Ref

BASE_ROW = "base"
"""How the untouched model is called in the retention matrix."""
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_LONGEST_BYTES = 100


def check_name(ref: Ref, what: str, findings: Findings) -> bool:
    """Report a name that cannot be a folder's name; return whether it is fine."""
    why = _fault(ref.name)
    if why is None:
        return True
    findings.error(
        Code.INVALID_NAME,
        f"{what} cannot be called `{_shown(ref.name)}`: {why}",
        ref.span,
        reason="names become folders of a run",
        help="use letters of any script, digits, `_`, `-` and `.`, not `.` first or last",
    )
    return False


def _fault(name: str) -> str | None:
    """Say what is wrong with a name in NFC, or None."""
    if not name:
        return "it is empty"
    if len(name.encode("utf-8", "replace")) > _LONGEST_BYTES:
        return f"it is longer than {_LONGEST_BYTES} bytes"
    if name.startswith(".") or name.endswith("."):
        return "it begins or ends with a dot"
    if _PLAIN.fullmatch(name):
        return None
    wrong = next((c for c in name if not _allowed(c)), None)
    return f"it holds {_described(wrong)}" if wrong else None


def _allowed(char: str) -> bool:
    return char in "_-." or unicodedata.category(char) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"}


def _described(char: str) -> str:
    if char == " ":
        return "a space"
    if char.isprintable():
        return f"`{char}`"
    return f"U+{ord(char):04X} {unicodedata.name(char, 'with no name')}"


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:60])
