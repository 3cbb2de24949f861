"""Rows that are both trained on and asked: exact ones, and those that share most of their text.

Text is compared after NFKC, case folding and with single spaces. Two rows are the same if all columns that
both templates read are. One row is contained in another if over half of its 13-character shingles occur
there: the measure of Brown et al. (2020), appendix C, on characters instead of words, since Korean words are
short. Of the shingles one in four is looked at, chosen by its hash.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import compress
from typing import Any
from zlib import crc32

SHINGLE = 13
"""Characters of a shingle."""
CONTAINED = 0.5
"""Share of a row's shingles above which it counts as contained."""
_ONE_IN = 4
_BEGINS = bytes(byte & 0xC0 != 0x80 for byte in range(256))  # noqa: PLR2004 - of UTF-8
"""Whether a byte of UTF-8 begins a character."""
_FEWEST = 6
"""Shingles below which a row is too short to be judged."""
_COMMON = 32
"""A shingle of more rows than that is a set phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One row as it is compared."""

    place: str
    columns: Mapping[str, str]
    """Normalised texts by column."""

    def key(self, columns: Sequence[str]) -> tuple[str, ...]:
        """What makes it the same as another row, by these columns."""
        return tuple(self.columns.get(name, "") for name in columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A row that is asked, and the row that teaches it."""

    asked: str
    taught: str


def text_of(place: str, row: Mapping[str, Any], columns: Iterable[str]) -> Text:
    """Return what is compared of a row: the columns that its template reads."""
    texts = {name: normalised(str(row[name])) for name in columns if row.get(name) is not None}
    return Text(place=place, columns=texts)


def normalised(text: str) -> str:
    """Return a text as it is compared: signs such as + and - stay, since they carry meaning."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def same_rows(asked: Iterable[Text], taught: Iterable[Text]) -> list[Leak]:
    """Return the asked rows that are taught word for word. Both may be read several times."""
    return same_rows_of([asked], taught)[0]


def same_rows_of(asked: Sequence[Iterable[Text]], taught: Iterable[Text]) -> list[list[Leak]]:
    """Return for each asked source its rows that are taught, which are read once after their first.

    Of the rows that are asked a digest each is held, of those that are taught nothing.
    """
    waiting = [_Waiting.of(texts, next(iter(taught), None)) for texts in asked]
    if any(one.columns for one in waiting):
        for text in taught:
            for one in waiting:
                one.meet(text)
    return [one.leaks(texts) for one, texts in zip(waiting, asked, strict=True)]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows that are asked, by digest, with the place of the first row that teaches each."""

    columns: Sequence[str]
    """Those by which they are compared: none, and no row is the same."""
    places: dict[bytes, str | None]

    @classmethod
    def of(cls, asked: Iterable[Text], taught: Text | None) -> _Waiting:
        first = next(iter(asked), None)
        columns = sorted(set(first.columns) & set(taught.columns)) if first and taught else []
        keys = (_digest(text, columns) for text in asked) if columns else ()
        return cls(columns, dict.fromkeys(key for key in keys if key is not None))

    def meet(self, taught: Text) -> None:
        """Note a row that is taught."""
        key = _digest(taught, self.columns)
        if key is not None and self.places.get(key, "") is None:
            self.places[key] = taught.place

    def leaks(self, asked: Iterable[Text]) -> list[Leak]:
        """The rows that are taught, in the order in which they are asked."""
        if not any(self.places.values()):
            return []
        keys = ((text.place, _digest(text, self.columns)) for text in asked)
        found = ((place, self.places.get(key)) for place, key in keys if key is not None)
        return [Leak(asked=place, taught=taught) for place, taught in found if taught is not None]


def _digest(text: Text, columns: Sequence[str]) -> bytes | None:
    """What makes a row the same as another, in few bytes; None where nothing is in it."""
    key = text.key(columns)
    if not any(key):
        return None
    return blake2b("".join(f"{len(part)}:{part}" for part in key).encode(), digest_size=16).digest()


def where_shingles_stand(texts: Sequence[Text]) -> dict[int, list[int]]:
    """Return for each shingle the places of the texts that have it."""
    where: defaultdict[int, list[int]] = defaultdict(list)
    for number, text in enumerate(texts):
        for shingle in _shingles(text):
            where[shingle].append(number)
    return where


def contained_rows(
    asked: Iterable[Text], taught: Sequence[Text], where: Mapping[int, list[int]]
) -> list[Leak]:
    """Return the asked rows of which over half stands in one taught row; ``where`` is of the taught ones."""
    return [leak for text in asked if (leak := _contained(text, where, taught)) is not None]


def _contained(text: Text, where: Mapping[int, list[int]], taught: Sequence[Text]) -> Leak | None:
    own = _shingles(text)
    places = (where.get(shingle, []) for shingle in own)
    counts = Counter(number for found in places if len(found) <= _COMMON for number in found)
    if len(own) < _FEWEST or not counts:
        return None
    number, shared = max(counts.items(), key=lambda item: (item[1], -item[0]))
    return Leak(asked=text.place, taught=taught[number].place) if shared > CONTAINED * len(own) else None


def _shingles(text: Text) -> set[int]:
    """The hashes of the shingles that are looked at."""
    whole = "\n".join(text.columns.values())
    if len(whole) < SHINGLE:
        return set()
    content = whole.encode()
    begins = [*compress(range(len(content)), content.translate(_BEGINS)), len(content)]
    shingles = map(content.__getitem__, map(slice, begins, begins[SHINGLE:]))
    return {code for code in map(crc32, shingles) if code % _ONE_IN == 0}
