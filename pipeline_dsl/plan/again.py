"""What is read more than once: kept in memory where it is little, else read anew each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Again(Iterable[T], Generic[T]):
    """Items that can be gone through again and again.

    Args:
        make: begins to read them.
        weigh: what an item counts.
        most: what all of them may come to and still be kept.
    """

    def __init__(self, make: Callable[[], Iterable[T]], weigh: Callable[[T], int], most: int) -> None:
        self._make = make
        self._weigh = weigh
        self._most = most
        self._large = False
        self.kept: list[T] | None = None
        """All of them, once they were read to their end and are little."""

    def __iter__(self) -> Iterator[T]:
        """Yield them from the first one on."""
        if self.kept is not None or self._large:
            yield from self._make() if self.kept is None else self.kept
            return
        weight, kept = 0, list[T]()
        for item in self._make():
            weight += 0 if self._large else self._weigh(item)
            if weight > self._most:
                self._large = True
                kept.clear()
            if not self._large:
                kept.append(item)
            yield item
        if not self._large:
            self.kept = kept
