"""Waiting for an answer no longer than its client does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pipeline_dsl.serving.tickets import Ticket
from pipeline_dsl.serving.worker import Worker

T = TypeVar("T")


class GoneError(Exception):
    """The client went away: nobody reads an answer."""


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """Return what the work comes to; GoneError where the client goes away before.

    The request's body has to be read.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise GoneError
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class TicketResponse(StreamingResponse):
    """A stream that gives its text up when it ends, however it ends, even before it began."""

    def __init__(self, content: AsyncIterator[str], *, worker: Worker, ticket: Ticket, **words: Any) -> None:
        super().__init__(content, **words)
        self._worker, self._ticket = worker, ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._worker.cancel(self._ticket)
