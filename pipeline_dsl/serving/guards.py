"""What stands before every route: whom the server lets in, and how much it reads."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import MutableMapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline_dsl.serving.faults import Fault
from pipeline_dsl.serving.settings import Settings

OPEN = frozenset({"/", "/page.js", "/page.css", "/health"})
"""Paths that need no token: they hold nothing of the run's answers."""

_LONGEST_HEAD = 32 * 1024


class Guard:
    """Refuses a request before its body is read: for its ``Host``, its token, its size or its kind.

    Args:
        app: what answers requests that are let in.
        settings: the limits and the token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            refuse_long_head(scope)
            refuse_host(headers, self._settings.allowed_hosts)
            if scope["path"] not in OPEN:
                refuse_stranger(headers, self._settings.token)
            if scope["method"] == "POST":
                receive = await self._read(headers, receive)
        except Fault as fault:
            answer = JSONResponse(fault.body(scope["path"]), fault.status, dict(fault.headers))
            await answer(scope, receive, send)
            return
        except ConnectionResetError:
            return
        await self._app(scope, receive, send)

    async def _read(self, headers: Headers, receive: Receive) -> Receive:
        """Read the body, within its limits of size and time, and return a ``receive`` that begins with it."""
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Fault(415, "send JSON, with Content-Type: application/json", code="unsupported_media_type")
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                body = await read_body(receive, headers.get("content-length"), self._settings.max_body)
        except TimeoutError:
            message = f"the body did not come within {self._settings.body_seconds:g} s"
            raise Fault(408, message, code="body_timeout", headers={"Connection": "close"}) from None
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> MutableMapping[str, Any]:
            return first.pop() if first else await receive()

        return again


async def read_body(receive: Receive, declared: str | None, limit: int) -> bytes:
    """Read a whole body; Fault (413) as soon as it is longer than it may be, whatever it declared."""
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def refuse_long_head(scope: Scope) -> None:
    """Raise Fault (431) for an address and headers longer than any client of ours sends."""
    length = len(scope["raw_path"]) + len(scope["query_string"])
    if length + sum(len(name) + len(value) for name, value in scope["headers"]) > _LONGEST_HEAD:
        raise Fault(431, f"address and headers may have {_LONGEST_HEAD} bytes", code="head_too_large")


def refuse_host(headers: Headers, allowed: tuple[str, ...] | None) -> None:
    """Raise Fault (403) for another ``Host`` than ours: a page of the web that had its name point here."""
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if allowed is not None and name.strip("[]").lower() not in allowed:
        raise Fault(403, "called by another name than its own; --allow-host NAME allows one", code="host")


def refuse_stranger(headers: Headers, token: str | None) -> None:
    """Raise Fault (401) without the token; how much of it is right cannot be told from the time it takes."""
    if token is None:
        return
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return
    message = "this server asks for its token, as `Authorization: Bearer TOKEN`"
    raise Fault(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def _too_large(limit: int) -> Fault:
    return Fault(413, f"a body may have {limit} bytes", code="body_too_large")
