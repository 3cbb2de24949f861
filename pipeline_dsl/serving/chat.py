"""``POST /v1/chat/completions``."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.serving.chat_answer import DONE, Completion, event
from pipeline_dsl.serving.chat_request import ChatRequest
from pipeline_dsl.serving.faults import fault_of
from pipeline_dsl.serving.prompts import Wish, generation, prompt_of
from pipeline_dsl.serving.request_log import note_tokens
from pipeline_dsl.serving.settings import Settings
from pipeline_dsl.serving.shelf import Served, Shelf
from pipeline_dsl.serving.tickets import BrokenError, StoppedError, Ticket
from pipeline_dsl.serving.waiting import TicketResponse, while_there

_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def chat_routes(shelf: Shelf, settings: Settings) -> APIRouter:
    """Return the route."""
    routes = APIRouter()

    @routes.post("/v1/chat/completions", summary="Answer a chat.", response_model=None)
    async def complete(body: ChatRequest, request: Request) -> Response:
        served = shelf.find(body.model)
        question = served.question(body.template)
        sample = prompt_of(question, [message.turn() for message in body.messages])
        answer = Completion(
            id=f"chatcmpl-{secrets.token_hex(12)}",
            model=body.model,
            fingerprint=served.fingerprint,
            template=question.name,
        )
        wanted = generation(answer.id, served.stack_name, question, sample, _wish(body, settings))
        ticket = served.worker.submit(wanted, whole=not body.stream)
        if body.stream:
            return await _streamed(request, body, served, ticket, answer)
        return await _whole(request, served, ticket, answer)

    return routes


async def _whole(request: Request, served: Served, ticket: Ticket, answer: Completion) -> Response:
    try:
        prompt_tokens, piece = await while_there(request, ticket.answer())
    finally:
        served.worker.cancel(ticket)
    note_tokens(request.scope, piece.tokens)
    return JSONResponse(answer.whole(prompt_tokens, piece))


async def _streamed(
    request: Request, body: ChatRequest, served: Served, ticket: Ticket, answer: Completion
) -> Response:
    """Stream once the prompt is taken in: what is wrong with it has a status of its own."""
    counting = bool(body.stream_options and body.stream_options.include_usage)
    try:
        prompt_tokens = await while_there(request, ticket.started())
    except BaseException:
        served.worker.cancel(ticket)
        raise
    chunks = _chunks(ticket, answer, prompt_tokens if counting else None, request.scope)
    return TicketResponse(
        chunks, worker=served.worker, ticket=ticket, media_type="text/event-stream", headers=_STREAM
    )


async def _chunks(
    ticket: Ticket, answer: Completion, prompt_tokens: int | None, scope: Any
) -> AsyncIterator[str]:
    """Yield the events of an answer; with the usage where the prompt's tokens are given."""
    yield event(answer.first())
    try:
        async for piece in ticket.pieces():
            note_tokens(scope, piece.tokens)
            if piece.text:
                yield event(answer.next(piece.text))
            if piece.finish is not None:
                yield event(answer.last(piece))
                if prompt_tokens is not None:
                    yield event(answer.counted(prompt_tokens, piece.tokens))
    except (
        MedrecipeError,
        StoppedError,
        BrokenError,
    ) as error:  # it has begun: this can only be its last event
        yield event(fault_of(error).openai())
        return
    yield DONE


def _wish(body: ChatRequest, settings: Settings) -> Wish:
    return Wish(
        max_new_tokens=body.most_tokens or settings.max_new_tokens,
        temperature=body.temperature or 0.0,
        top_p=1.0 if body.top_p is None else body.top_p,
        seed=body.seed,
        stops=body.stops,
    )
