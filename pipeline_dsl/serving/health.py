"""``GET /health``: whether requests are answered. It needs no token and holds no text."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pipeline_dsl.serving.shelf import Shelf


def health_routes(shelf: Shelf, began: float) -> APIRouter:
    """Return the route.

    Args:
        shelf: whose workers are asked.
        began: ``time.monotonic()`` of the start.
    """
    routes = APIRouter()

    @routes.get("/health", summary="Tell whether requests are answered.", response_model=None)
    async def health() -> JSONResponse:
        loads = [worker.load for worker in shelf.workers]
        well = all(load.alive for load in loads)
        content: dict[str, Any] = {
            "status": "ok" if well else "unavailable",
            "run": shelf.run.folder.id,
            "models": list(shelf.ids),
            "slots": sum(load.slots for load in loads),
            "active": sum(load.active for load in loads),
            "waiting": sum(load.waiting for load in loads),
            "uptime_seconds": round(time.monotonic() - began, 1),
        }
        return JSONResponse(content, status_code=200 if well else 503)

    return routes
