"""The server: uvicorn on an address, from the first request to a clean end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from pipeline_dsl.run.finished import FinishedRun
from pipeline_dsl.serving.address import bound, url_of
from pipeline_dsl.serving.app import make_app
from pipeline_dsl.serving.settings import Settings
from pipeline_dsl.serving.shelf import Shelf, left_out, set_up

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TURN = 0.05
_SPARE = 1.0
"""Seconds that clients have to read what they are told of the end."""
_BACKSTOP = 5


class Server(uvicorn.Server):
    """Ends once all requests are answered, once the grace is over, or at the second signal.

    Args:
        shelf: what is served; its workers are ended with it.
        settings: the limits.
    """

    def __init__(self, shelf: Shelf, settings: Settings) -> None:
        self._shelf, self._settings = shelf, settings
        self.hurried = False
        """Whether a second signal came."""
        super().__init__(
            uvicorn.Config(
                make_app(shelf, settings),
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=int(settings.grace) + _BACKSTOP,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first ends the server cleanly, the second at once."""
        if self.should_exit:
            self.hurried = True
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so once requests are taken."""
        await super().startup(sockets)
        where = " and ".join(url_of(each) for each in sockets or ())
        self._settings.say(f"serving {self._shelf.run.folder.id} on {where} (Ctrl-C ends it)")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, and let those that are there finish within the grace."""
        under_way = sum(worker.load.active + worker.load.waiting for worker in self._shelf.workers)
        waits = f", {under_way} under way, at most {self._settings.grace:g} s" if under_way else ""
        self._settings.say(f"stopping{waits}")
        ending = asyncio.create_task(self._end_texts())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_texts(self) -> None:
        """Fail what is still written when the grace is over or the second signal came; then hang up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.grace
        while loop.time() < end and not self.hurried:  # noqa: ASYNC110 - a signal sets it, at any point
            await asyncio.sleep(_TURN)
        for worker in self._shelf.workers:
            worker.stop()
        await asyncio.sleep(_SPARE)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def serve(run: FinishedRun, settings: Settings) -> bool:
    """Serve a run until a signal ends it, and return whether it ended cleanly.

    Raises:
        MedrecipeError: a stack that is not there or does not fit; an address that cannot be had (MR606).
    """
    with bound(settings.host, settings.port) as taken:
        shelf = set_up(run, settings)
        with _quiet_signals():
            try:
                return _serve(shelf, settings, taken)
            finally:
                shelf.close()


def _serve(shelf: Shelf, settings: Settings, taken: socket.socket) -> bool:
    server = Server(shelf, settings)
    rejected = [each.stack.name for each in shelf.served if each.stack.rejected]
    if rejected:
        settings.say(f"of these, a contract of retention rejected {', '.join(rejected)}")
    if not settings.adapters and (missing := left_out(shelf.run, shelf)):
        settings.say(missing)
    settings.say(f"models: {', '.join(shelf.ids)}")
    server.run(sockets=[taken])
    return not server.hurried


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let no signal end anything but the server, which takes them while it runs.

    uvicorn raises those that it took once more when it is done, and another may come while memory is freed.
    """
    before = {number: signal.signal(number, _ignored) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignored(_number: int, _frame: FrameType | None) -> None:
    pass
