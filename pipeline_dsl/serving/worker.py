"""One thread that owns one decoder, and the bounded queue in front of it."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.generation import Decoder, Generation, Piece
from pipeline_dsl.serving.tickets import BrokenError, Event, Failed, Started, StoppedError, Ticket

_FAULTS_IN_A_ROW = 3
"""After so many failed steps without a good one the decoder is given up."""


class FullError(Exception):
    """As many requests wait as may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a worker has to do."""

    alive: bool
    slots: int
    active: int
    """Texts that are being written."""
    waiting: int
    """Texts whose turn has not come."""


class Worker:
    """Writes up to ``slots`` texts at once; they join and leave between steps.

    A bug in the decoder fails the texts under way and not the server: it goes on with a fresh decoder, until
    three steps in a row failed.

    Args:
        make: makes a decoder; called in the worker's thread.
        slots: most texts at once.
        queue: most texts that wait beside them.
        say: takes one line for the operator; never a text of a request.
    """

    def __init__(
        self, make: Callable[[], Decoder], *, slots: int, queue: int, say: Callable[[str], None]
    ) -> None:
        self._make, self._slots, self._queue, self._say = make, slots, queue, say
        self._change = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._active: dict[str, Ticket] = {}
        self._leaving: set[str] = set()
        self._stopped = False
        self._faults = 0
        self._decoder: Decoder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="medrecipe-worker", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work; events are put on tickets in this loop."""
        self._loop = loop
        self._thread.start()

    @property
    def load(self) -> Load:
        """What there is to do now."""
        with self._change:
            alive = not self._stopped and self._thread.is_alive()
            return Load(alive=alive, slots=self._slots, active=len(self._active), waiting=len(self._waiting))

    def submit(self, request: Generation, *, whole: bool = False) -> Ticket:
        """Line up a text.

        Raises:
            FullError: all slots and the queue are taken.
            StoppedError: it writes no more.
        """
        ticket = Ticket(request=request, whole=whole)
        with self._change:
            if self._stopped:
                raise StoppedError
            if len(self._active) + len(self._waiting) >= self._slots + self._queue:
                raise FullError
            self._waiting.append(ticket)
            self._change.notify()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Give up a text: it is gone before the next step. Nothing happens where it is finished."""
        with self._change:
            if self._active.get(ticket.request.id) is ticket:
                self._leaving.add(ticket.request.id)
                self._change.notify()
            elif ticket in self._waiting:
                self._waiting.remove(ticket)

    def stop(self) -> None:
        """Write no more: what is under way fails with StoppedError after the step that runs."""
        with self._change:
            self._stopped = True
            self._change.notify()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, which takes a step at most."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._decoder = self._make()
            while (change := self._next()) is not None:
                leaving, joining = change
                for name in leaving:
                    self._decoder.remove(name)
                self._hand_out([(ticket, self._joined(ticket)) for ticket in joining])
                self._hand_out(self._step())
        except Exception as error:  # noqa: BLE001 - the worker's border: the server says it is unhealthy
            self._say(_where(error))
        finally:
            self._end()

    def _next(self) -> tuple[Sequence[str], Sequence[Ticket]] | None:
        """Wait for something to do, and return who leaves and who joins; None at the end."""
        with self._change:
            while not (self._stopped or self._waiting or self._active):
                self._change.wait()
            if self._stopped:
                return None
            leaving, self._leaving = sorted(self._leaving), set()
            for name in leaving:
                self._active.pop(name, None)
            free = min(self._slots - len(self._active), len(self._waiting))
            joining = [self._waiting.popleft() for _ in range(free)]
            self._active |= {ticket.request.id: ticket for ticket in joining}
            return leaving, joining

    def _joined(self, ticket: Ticket) -> Event:
        assert self._decoder is not None  # noqa: S101 - made before anything joins
        try:
            return Started(prompt_tokens=self._decoder.add(ticket.request))
        except MedrecipeError as error:
            return Failed(error=error)
        except Exception as error:  # noqa: BLE001 - the worker's border: a bug fails this request alone
            self._say(_where(error))
            return Failed(error=BrokenError())

    def _step(self) -> list[tuple[Ticket, Event]]:
        assert self._decoder is not None  # noqa: S101 - made before anything is written
        try:
            pieces = self._decoder.step()
        except Exception as error:  # the worker's border: a bug fails the texts under way, not the server
            self._faults += 1
            failed = list(self._active.values())
            self._hand_out([(ticket, Failed(error=BrokenError())) for ticket in failed])
            if self._faults >= _FAULTS_IN_A_ROW:
                raise
            self._say(_where(error))
            self._decoder = self._make()
            return []
        self._faults = 0
        return [(ticket, event) for piece in pieces for ticket, event in self._taken(piece)]

    def _taken(self, piece: Piece) -> Iterable[tuple[Ticket, Event]]:
        """The piece for who waits for it; those of a text that is wanted whole are kept until it is."""
        ticket = self._active.get(piece.id)
        if ticket is None:
            return ()
        if not ticket.whole:
            return ((ticket, piece),)
        ticket.parts.append(piece.text)
        return ((ticket, replace(piece, text="".join(ticket.parts))),) if piece.finish else ()

    def _hand_out(self, events: Sequence[tuple[Ticket, Event]]) -> None:
        over = [t.request.id for t, event in events if isinstance(event, Failed) or _finishes(event)]
        if over:
            with self._change:
                for name in over:
                    self._active.pop(name, None)
        if events and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(_put, events)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._stopped = True

    def _end(self) -> None:
        with self._change:
            self._stopped = True
            left = [*self._active.values(), *self._waiting]
            self._active.clear()
            self._waiting.clear()
        self._decoder = None
        self._hand_out([(ticket, Failed(error=StoppedError())) for ticket in left])


def _finishes(event: Event) -> bool:
    return isinstance(event, Piece) and event.finish is not None


def _put(events: Sequence[tuple[Ticket, Event]]) -> None:
    for ticket, event in events:
        ticket.events.put_nowait(event)


def _where(error: Exception) -> str:
    """A bug's kind and its places; its message may hold a text."""
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"internal error while writing texts: {type(error).__name__}\n{places}".rstrip()
