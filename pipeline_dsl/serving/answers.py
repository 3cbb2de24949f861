"""How exceptions of routes become answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.serving.faults import Fault, fault_of
from pipeline_dsl.serving.tickets import BrokenError, StoppedError
from pipeline_dsl.serving.waiting import GoneError
from pipeline_dsl.serving.worker import FullError

_NOBODY_READS = 499
_KIND = re.compile(r"(?:function-\w+|list|union)\[.*\]", re.DOTALL)
"""What pydantic puts into a place where a value may be of several kinds."""


def answer_exceptions(app: FastAPI) -> None:
    """Have every exception answered in the shape of its route; a bug is answered, and crashes as well."""
    for kind in (Fault, FullError, StoppedError, BrokenError, MedrecipeError, Exception):
        app.add_exception_handler(kind, _fault)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(GoneError, _gone)


async def _fault(request: Request, error: Exception) -> Response:
    return _said(request, fault_of(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return _said(request, Fault(error.status_code, str(error.detail), headers=error.headers or {}))


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_NOBODY_READS)


async def _invalid(request: Request, error: Exception) -> Response:
    """A body that the route does not take: FastAPI's shape without what was sent, OpenAI's for ``/v1``."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()
    if not request.url.path.startswith("/v1/"):
        detail = [{"type": e["type"], "loc": _place(e), "msg": e["msg"]} for e in found]
        return JSONResponse({"detail": detail}, status_code=422)
    first = found[0]
    unknown = first["type"] == "extra_forbidden"
    place = ".".join(str(part) for part in _place(first)[1:])
    param = None if first["type"] == "json_invalid" or not place else place
    message = "unknown key" if unknown else first["msg"]
    where = f"{param}: " if param else ""
    return _said(
        request,
        Fault(
            400, f"{where}{message}", code="unknown_parameter" if unknown else "invalid_value", param=param
        ),
    )


def _place(error: Mapping[str, Any]) -> Sequence[str | int]:
    """Where in the body, without pydantic's words for kinds.

    Names are the sender's, and may hold what no encoding can.
    """
    named = [p for p in error["loc"] if isinstance(p, int) or not _KIND.fullmatch(p)]
    return [p if isinstance(p, int) else p.encode("utf-8", "replace").decode() for p in named]


def _said(request: Request, fault: Fault) -> Response:
    return JSONResponse(fault.body(request.url.path), fault.status, dict(fault.headers))
