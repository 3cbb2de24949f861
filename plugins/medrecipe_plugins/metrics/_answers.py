"""Answers to multiple-choice questions, found in what a model wrote."""

from __future__ import annotations

import re

LETTERS = "ABCDE"
_MARKS = {mark: letter for marks in ("12345", "①②③④⑤") for mark, letter in zip(marks, LETTERS, strict=True)}

_STRICT = re.compile(r"^answer:[ \t]*\r?\n[ \t]*([A-E])[ \t]*\r?$", re.MULTILINE)
_MARK = r"[\s(\[*_`「<:：]{0,8}([A-Ea-e1-5①-⑤])(?![A-Za-z0-9]|\.\d|\s*[/%])"
_KEYWORDS = re.compile(
    r"(?:정답|최종\s*답|(?<![가-힣])답)(?:은|는|이)?\s*[:：]?" + _MARK
    + r"|(?i:\banswer(?:\s+is)?|\bchoice(?:\s+is)?|\boption(?:\s+is)?)\s*[:：]?" + _MARK
    + r"|(?i:\\boxed\s*\{)" + _MARK
)  # fmt: skip
_ALONE = re.compile(r"^[\s(*]*([A-E①-⑤])[\s).*:]*$", re.MULTILINE)

_REPEATS = 4
_SHORTEST_LOOP = 20
_LONGEST_PERIOD = 200


def strict(text: str) -> str | None:
    """Return the letter of the first ``answer:`` line that one of A to E follows, alone on its line."""
    found = _STRICT.search(text)
    return found.group(1) if found else None


def lenient(text: str) -> str | None:
    """Return the letter that a reader would take for the answer: the last one that a word announces.

    Letters of either case, 1–5 and ①–⑤ count; a Hangul particle may follow (``B입니다``). Without an
    announced one, the last letter alone on a line.
    """
    announced = [next(filter(None, match.groups())) for match in _KEYWORDS.finditer(text)]
    found = announced or _ALONE.findall(text)
    return _letter(found[-1]) if found else None


def loops(text: str) -> bool:
    """Whether a text ends in the same characters four times over."""
    text = text.rstrip()
    longest = min(_LONGEST_PERIOD, len(text) // _REPEATS)
    shortest = -(-_SHORTEST_LOOP // _REPEATS)
    return any(text.endswith(text[-period:] * _REPEATS) for period in range(shortest, longest + 1))


def _letter(mark: str) -> str:
    return _MARKS.get(mark, mark.upper())
