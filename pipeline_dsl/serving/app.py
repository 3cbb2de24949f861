"""The application: its routes, what stands before them, and the workers behind them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from pipeline_dsl import __version__
from pipeline_dsl.serving.answers import answer_exceptions
from pipeline_dsl.serving.chat import chat_routes
from pipeline_dsl.serving.guards import Guard
from pipeline_dsl.serving.health import health_routes
from pipeline_dsl.serving.medimind import medimind_routes
from pipeline_dsl.serving.models import model_routes
from pipeline_dsl.serving.page import page_routes
from pipeline_dsl.serving.request_log import RequestLog
from pipeline_dsl.serving.settings import Settings
from pipeline_dsl.serving.shelf import Shelf


def make_app(shelf: Shelf, settings: Settings) -> ASGIApp:
    """Return what answers requests. Its workers begin with it and end with it."""

    @asynccontextmanager
    async def working(_app: FastAPI) -> AsyncIterator[None]:
        for worker in shelf.workers:
            worker.start(asyncio.get_running_loop())
        yield
        for worker in shelf.workers:
            worker.stop()

    app = FastAPI(
        title="medrecipe serve",
        version=__version__,
        summary=f"The run {shelf.run.folder.id} of {shelf.run.plan.recipe}.",
        lifespan=working,
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
    )
    app.include_router(chat_routes(shelf, settings))
    app.include_router(model_routes(shelf, int(time.time())))
    app.include_router(medimind_routes(shelf, settings))
    app.include_router(health_routes(shelf, time.monotonic()))
    app.include_router(page_routes())
    answer_exceptions(app)
    app.add_middleware(Guard, settings=settings)
    return RequestLog(app, settings.say) if settings.log_requests else app
