"""Texts written by the stacks of a finished run, on as few bases as they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from pipeline_dsl.api.generation import Decoder, Generation, Piece
from pipeline_dsl.api.records import Sample
from pipeline_dsl.run.finished import FinishedRun, FinishedStack, LoadedStacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How texts are written; see ``api.Generation``."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stops: tuple[str, ...] = ()


class Writers:
    """Writes texts with any stacks of a run. A base is loaded when a text first needs it, and kept.

    Args:
        run: the finished run.
        say: is told what is being loaded.
    """

    def __init__(self, run: FinishedRun, say: Callable[[str], None]) -> None:
        self._run = run
        self._say = say
        self._loaded: dict[str, tuple[LoadedStacks, Decoder]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.keep([])

    def __len__(self) -> int:
        return sum(len(decoder) for _, decoder in self._loaded.values())

    def keep(self, stacks: Sequence[FinishedStack]) -> None:
        """Free every base but those of these stacks."""
        wanted = {stack.foundation for stack in stacks}
        for foundation in set(self._loaded) - wanted:
            self._loaded.pop(foundation)[0].close()

    def load(self, stacks: Sequence[FinishedStack]) -> None:
        """Have the bases of these stacks in memory, each with all stacks that share it."""
        everything = (*self._run.stacks, self._run.base)
        for stack in stacks:
            if stack.foundation in self._loaded:
                continue
            sharing = [s for s in everything if s.foundation == stack.foundation]
            self._say(f"loading the base with {', '.join(s.name for s in sharing)}")
            loaded = self._run.load(sharing)
            self._loaded[stack.foundation] = (loaded, loaded.model.decoder())

    def add(self, id: str, stack: FinishedStack, sample: Sample, manner: Manner) -> int:
        """Take in a text to be written, and return the number of its prompt's tokens; see ``api.Decoder``."""
        self.load([stack])
        loaded, decoder = self._loaded[stack.foundation]
        request = Generation(
            id=id,
            sample=sample,
            stack=loaded.names[stack.name],
            max_new_tokens=manner.max_new_tokens,
            temperature=manner.temperature,
            top_p=manner.top_p,
            seed=manner.seed,
            stops=manner.stops,
        )
        return decoder.add(request)

    def remove(self, id: str) -> None:
        """Forget a text."""
        for _, decoder in self._loaded.values():
            decoder.remove(id)

    def step(self) -> list[Piece]:
        """Write one more token of every text."""
        return [piece for _, decoder in self._loaded.values() for piece in decoder.step()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A text that is to be written."""

    stack: FinishedStack
    sample: Sample
    manner: Manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A text that was written."""

    text: str
    piece: Piece
    """The last one."""


def write_all(
    writers: Writers,
    wishes: Sequence[Wish],
    together: int,
    told: Callable[[int, Piece], None] = lambda *_: None,
) -> Iterator[tuple[int, Answer]]:
    """Write texts, so many at once, and yield each with its number as soon as it is whole.

    Args:
        writers: of their run.
        wishes: what is to be written.
        together: how many are written at once.
        told: is told each piece with the number of its text.
    """
    waiting = iter(enumerate(wishes))
    texts: dict[str, str] = {}
    while True:
        while len(texts) < together and (entry := next(waiting, None)) is not None:
            number, wish = entry
            writers.add(str(number), wish.stack, wish.sample, wish.manner)
            texts[str(number)] = ""
        if not texts:
            return
        for piece in writers.step():
            texts[piece.id] += piece.text
            told(int(piece.id), piece)
            if piece.finish is not None:
                text = texts.pop(piece.id)
                yield int(piece.id), Answer(text=text, piece=piece)


def manner_of(manner: Manner, stops: Sequence[str]) -> Manner:
    """Return a manner with the stops of a template beside its own."""
    return replace(manner, stops=tuple(dict.fromkeys((*manner.stops, *stops))))
