"""``--log-requests``: a line a request, without any of its text."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOTES = "medrecipe.notes"
_LONGEST_PATH = 100
_GONE = 499
"""As nginx calls a client that went away before its answer."""


def note_tokens(scope: Scope, tokens: int) -> None:
    """Remember how many tokens were written for a request, where requests are logged."""
    scope.get(_NOTES, {})["tokens"] = tokens


class RequestLog:
    """Says method, path, status, milliseconds and tokens once a request is over.

    Args:
        app: what answers it.
        say: takes the line.
    """

    def __init__(self, app: ASGIApp, say: Callable[[str], None]) -> None:
        self._app, self._say = app, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and say so."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), _GONE
        noted: dict[str, int] = {}
        scope[_NOTES] = noted

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            path = scope["raw_path"].decode("ascii", "backslashreplace")[:_LONGEST_PATH]
            tokens = f" {noted['tokens']} tokens" if "tokens" in noted else ""
            took = (time.monotonic() - began) * 1000
            self._say(f"{scope['method']} {path} {status} {took:.0f} ms{tokens}")
