"""What somebody probably meant: the nearest of the names that exist."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_LIST_AT_MOST = 12
"""How many names are listed beside the nearest one."""
_LIST_ALONE = 24
"""How many are listed where none is near."""
_SHORTEST_BEGINNING = 3


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
        if abs(len(wanted) - len(letters)) > limit:
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


def _letters(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold().replace("-", "_")


def _completion(wanted: str, known: list[str]) -> str | None:
    if len(wanted) < _SHORTEST_BEGINNING:
        return None
    longer = [candidate for candidate in known if _letters(candidate).startswith(wanted)]
    return longer[0] if len(longer) == 1 else None


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
