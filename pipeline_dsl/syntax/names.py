"""What characters may stand in a name or in bare text, and how names are compared (NFC)."""

from __future__ import annotations

import re
import unicodedata

from pipeline_dsl.diagnostics import Severity
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import Findings, Mistake
from pipeline_dsl.syntax.terminals import KEY_ALONE

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U000e0000-\U000e0fff]"
)
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SEGMENT = re.compile(r"[^./_\-0-9]+")
LOOKALIKES = frozenset("аеорсухіѕјһԁԛԝАВЕКМНОРСТХІЅЈαινορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")
FOREIGN = frozenset({
    "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "FULLWIDTH", "MATHEMATICAL",
})  # fmt: skip
"""Scripts, as the names of their letters begin, with letters that look like Latin ones."""
ADVICE_QUOTE = "put the text in quotes"


def normal(name: str) -> str:
    """The form in which names are compared: NFC."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def describe(char: str) -> str:
    """A character as words: ``U+0430 CYRILLIC SMALL LETTER A``."""
    return f"U+{ord(char):04X} {unicodedata.name(char, 'with no name')}"


def check_name(name: str, start: int, findings: Findings) -> None:
    """Note what is wrong with a bare key. Raises Mistake where a character cannot be part of any bare key."""
    if name.isascii():
        return
    if _note_hidden(name, start, findings):
        return
    for offset, char in enumerate(name):
        if not char.isascii() and unicodedata.category(char)[0] not in "LMN":
            raise Mistake(
                Code.BAD_KEY,
                start + offset,
                start + offset + 1,
                f"`{char}` ({describe(char)}) cannot stand in a bare key",
                help=f'write the key in quotes: "{name}"',
            )
    _note_lookalikes(name, start, findings)


def check_text(text: str, start: int, findings: Findings) -> None:
    """Note what is wrong with the characters of a piece of bare text."""
    control = CONTROL.search(text)
    if control:
        place = start + control.start()
        findings.add(
            Code.CONTROL,
            place,
            place + 1,
            f"the control character {describe(control[0])} in bare text",
            help="remove it, or put the text in quotes",
        )
        return
    if text.isascii() or _note_hidden(text, start, findings):
        return
    for place in (0, len(text) - 1):
        if unicodedata.category(text[place]) == "Zs":
            findings.add(
                Code.ODD_SPACE,
                start + place,
                start + place + 1,
                f"{describe(text[place])} at the {'end' if place else 'start'} of bare text",
                help="write an ordinary space, or put the text in quotes",
            )
            return
    if KEY_ALONE.fullmatch(text):
        _note_lookalikes(text, start, findings)


def check_quoted(text: str, start: int, findings: Findings) -> None:
    """Note a character inside quotes or a comment that turns the direction of the text around it."""
    turning = None if text.isascii() else TURNING.search(text)
    if turning:
        place = start + turning.start()
        findings.add(
            Code.INVISIBLE,
            place,
            place + 1,
            f"{describe(turning[0])} makes the text show in another order than it is read",
            help="remove it",
            severity=Severity.WARNING,
        )


def _note_hidden(text: str, start: int, findings: Findings) -> bool:
    hidden = INVISIBLE.search(text)
    if not hidden:
        return False
    place = start + hidden.start()
    findings.add(
        Code.INVISIBLE,
        place,
        place + 1,
        f"the invisible character {describe(hidden[0])}",
        help="remove it; where it is meant, put the text in quotes",
    )
    return True


def _script(char: str) -> str:
    return "LATIN" if char.isascii() else unicodedata.name(char, "").partition(" ")[0]


def _mixed(scripts: set[str]) -> bool:
    return len(scripts & {"LATIN", *FOREIGN}) > 1


def _note_lookalikes(name: str, start: int, findings: Findings) -> None:
    scripts = {_script(char) for char in name if char.isalpha()}
    foreign = scripts & FOREIGN
    if not foreign or not _mixed(scripts):
        return
    for segment in SEGMENT.finditer(name):
        letters = [char for char in segment[0] if char.isalpha()]
        mixed = _mixed({_script(char) for char in letters})
        if mixed or (letters and LOOKALIKES.issuperset(letters)):
            offset = next(i for i, c in enumerate(segment[0]) if _script(c) in foreign)
            place = start + segment.start() + offset
            findings.add(
                Code.LOOKALIKE,
                place,
                place + 1,
                f"`{name}` mixes letters of different scripts: `{name[place - start]}` is "
                f"{describe(name[place - start])}",
                help="write the name with the letters of one script; where the mix is meant, use quotes",
            )
            return
