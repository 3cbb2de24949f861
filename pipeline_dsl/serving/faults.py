"""What goes wrong with a request, in the shape that its route's clients read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.run.asking import UnknownTemplateError
from pipeline_dsl.run.finished import UnknownStackError
from pipeline_dsl.serving.tickets import StoppedError
from pipeline_dsl.serving.worker import FullError

_TOO_LONG = "MR530"
_RETRY = {"Retry-After": "1"}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SERVERS_FAULT = 500


@dataclass(slots=True)
class Fault(Exception):  # noqa: N818 - it is answered, not only raised
    """An answer that is an error."""

    status: int
    message: str
    code: str | None = None
    """For programs: ``model_not_found`` and the like, or a code that ``medrecipe explain`` tells of."""
    param: str | None = None
    """Which key of the request is wrong."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def openai(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        kind = "server_error" if self.status >= _SERVERS_FAULT else "invalid_request_error"
        kind = _TYPES.get(self.status, kind)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def body(self, path: str) -> dict[str, Any]:
        """As the clients of a path read it: in OpenAI's shape below ``/v1``, in FastAPI's elsewhere."""
        return self.openai() if path.startswith("/v1/") else {"detail": self.message}


def fault_of(error: Exception) -> Fault:
    """Return what to answer where an error stands in the way of a text."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, FullError):
        return Fault(429, "too many requests wait already; try again", code="queue_full", headers=_RETRY)
    if isinstance(error, StoppedError):
        return Fault(503, "the server is shutting down", code="shutting_down")
    if isinstance(error, MedrecipeError):
        return _of_a_request(error)
    return Fault(500, "internal error; the server's own output tells where", code="internal_error")


def _of_a_request(error: MedrecipeError) -> Fault:
    message = f"{error.message}; {error.help}" if error.help else error.message
    if error.code == _TOO_LONG:
        return Fault(400, message, code="context_length_exceeded", param="messages")
    if isinstance(error, UnknownStackError):
        return Fault(404, message, code="model_not_found", param="model")
    if isinstance(error, UnknownTemplateError):
        return Fault(400, message, code=error.code, param="template")
    return Fault(400, message, code=error.code, param="messages")
