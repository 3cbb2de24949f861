"""Texts that somebody waits for: what a worker's thread hands to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pipeline_dsl.api.generation import Generation, Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The prompt was read: pieces follow."""

    prompt_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nothing follows."""

    error: Exception
    """MedrecipeError: the request cannot be answered; StoppedError; BrokenError."""


Event = Started | Piece | Failed


class StoppedError(Exception):
    """The worker writes no more texts: the server is shutting down, or it is broken."""


class BrokenError(Exception):
    """A bug, which the operator was told of, ended the text."""


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """A text that is waited for."""

    request: Generation
    whole: bool
    """Whether it is wanted in one piece: then the event loop is not woken for every token."""
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    """Belongs to the event loop."""
    parts: list[str] = field(default_factory=list)
    """What is held back until a text that is wanted whole is finished; belongs to the worker."""

    async def started(self) -> int:
        """Wait for its turn, and return the number of tokens of its prompt.

        Raises:
            Exception: of ``Failed``.
        """
        event = await self.events.get()
        if isinstance(event, Started):
            return event.prompt_tokens
        raise _failure(event)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Yield its pieces up to the one with a ``finish``, or raise the exception of ``Failed``."""
        while True:
            event = await self.events.get()
            if not isinstance(event, Piece):
                raise _failure(event)
            yield event
            if event.finish is not None:
                return

    async def answer(self) -> tuple[int, Piece]:
        """Return the tokens of its prompt, and its text in one piece; for tickets that are ``whole``."""
        prompt_tokens = await self.started()
        async for piece in self.pieces():
            return prompt_tokens, piece
        raise AssertionError  # pieces end with a finish or an exception


def _failure(event: Event) -> Exception:
    return event.error if isinstance(event, Failed) else RuntimeError(f"out of order: {type(event).__name__}")
