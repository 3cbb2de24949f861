"""What somebody probably meant: the nearest of the names that exist."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache

from pipeline_dsl.diagnostics import Fix, Span
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Key, Mapping
from pipeline_dsl.syntax.repairs import write

_LIST_AT_MOST = 12
"""How many names are listed beside the nearest one."""
_LIST_ALONE = 24
"""How many are listed where none is near."""
_SHORTEST_BEGINNING = 3
_SHORTEST = 3
"""Letters of the shortest name that is written right unasked."""
_CLEAR = 2
"""By how many letters any other name has to differ for that."""
_PLAIN = re.compile(r"[\w./-]+")
_KEYWORDS = frozenset({"true", "false", "null", "nil"})
_DIGITS = re.compile(r"[0-9]+")
_WORD = re.compile(r"[_./]")


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``name`` most probably is a slip of, or None.

    Letters swapped, dropped, added or changed count one each; case and ``-``/``_`` count nothing. Hangul is
    compared by its jamo. At most a third of the letters may differ. Failing that, the only candidate that
    begins with ``name`` is meant (``batch`` for ``batch_size``).
    """
    known = sorted(set(candidates))
    wanted = _letters(name)
    best: tuple[int, str] | None = None
    for candidate in known:
        letters = _letters(candidate)
        longest = max(len(wanted), len(letters))
        limit = min(max(1, longest // 3), longest - 1)
        if longest - _common(wanted, letters) > limit:
            continue
        distance = _distance(wanted, letters)
        if distance <= limit and (best is None or distance < best[0]):
            best = distance, candidate
    return best[1] if best else _completion(wanted, known)


def suggestion(name: str, candidates: Iterable[str], *, what: str = "known") -> str | None:
    """Return a help line: the nearest candidate, and all where they are few; None for no candidate."""
    known = list(dict.fromkeys(candidates))
    near = nearest(name, known)
    parts = [f"did you mean `{near}`?"] if near else []
    if known and (not near or len(known) <= _LIST_AT_MOST):
        more = f" and {len(known) - _LIST_ALONE} more" if len(known) > _LIST_ALONE else ""
        parts.append(f"{what}: {', '.join(known[:_LIST_ALONE])}{more}")
    return " ".join(parts) or None


def renamed(
    span: Span | None, name: str, candidates: Iterable[str], *, taken: Container[str] = ()
) -> tuple[Fix, ...]:
    """Return the fix that writes the nearest candidate in place of a name, if there is one.

    Args:
        span: where the name is written, in quotes or not; nothing is offered where something else stands
            there, such as a reference that became the name.
        name: as it was read.
        candidates: the names that can stand there.
        taken: those of them that stand beside it already: writing them a second time is never certain.
    """
    known = sorted(set(candidates))
    near = nearest(name, known)
    if span is None or near is None or not _PLAIN.fullmatch(near) or near in _KEYWORDS:
        return ()
    written = span.text
    inside = written[1:-1] if len(written) > 1 and written[0] == written[-1] == '"' else written
    if normal(inside) != normal(name):
        return ()
    start = span.start + (len(written) - len(inside)) // 2
    place = Span(span.source, start, start + len(inside))
    return (write(place, near, safe=near not in taken and is_certain(name, near, known)),)


@dataclass(frozen=True, slots=True)
class Beside:
    """Names of the keys that seem to be written in one block with a key: on its line, or in its column.

    A block may be put together of several: what another layer says can be said again. Looked for when asked:
    a block may have very many keys.
    """

    key: Key
    block: Mapping

    def __contains__(self, name: object) -> bool:
        here = self.key.span
        return any(
            other.span.line == here.line or other.span.column == here.column
            for other in (entry.key for entry in self.block)
            if other.name == name and other.span.source is here.source
        )


def renamed_file(span: Span | None, path: str, beside: Iterable[str]) -> tuple[Fix, ...]:
    """Return the fix that writes the nearest of the files of a folder in place of the last part of a path."""
    folder, slash, name = path.rpartition("/")
    return renamed(span, path, (f"{folder}{slash}{other}" for other in beside)) if name else ()


def is_certain(name: str, near: str, known: Iterable[str]) -> bool:
    """Whether a name can only be a slip of ``near``: one letter away, and no other one within two."""
    wanted, right = _letters(name), _letters(near)
    others = (other for other in known if other != near)
    return (
        len(wanted) >= _SHORTEST
        and _DIGITS.findall(wanted) == _DIGITS.findall(right)
        and _distance(wanted, right) <= 1
        and _same_short_words(wanted, right)
        and all(
            max(len(wanted), len(other)) - _common(wanted, other) > _CLEAR
            or _distance(wanted, other) > _CLEAR
            for other in map(_letters, others)
        )
    )


def _same_short_words(a: str, b: str) -> bool:
    """Whether names like ``exam_a`` agree in their short words: ``exam_b`` is another name, not a slip."""
    first, second = ([w for w in _WORD.split(name) if len(w) < _SHORTEST] for name in (a, b))
    return first == second


@lru_cache(maxsize=4096)
def _letters(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold().replace("-", "_")


def _completion(wanted: str, known: list[str]) -> str | None:
    if len(wanted) < _SHORTEST_BEGINNING:
        return None
    longer = [candidate for candidate in known if _letters(candidate).startswith(wanted)]
    return longer[0] if len(longer) == 1 else None


def _common(a: str, b: str) -> int:
    """How many letters two words have in common, wherever these stand: all others have to be changed."""
    return sum(min(a.count(letter), b.count(letter)) for letter in set(a))


def _distance(a: str, b: str) -> int:
    """Optimal string alignment distance (Damerau-Levenshtein without overlapping edits)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        following = [i]
        for j, y in enumerate(b, 1):
            cost = min(following[-1] + 1, row[j] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        before, row = row, following
    return row[-1]
