"""``POST /api/v1/chat``, as clients of the MediMind backend know it."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline_dsl.api.records import Message
from pipeline_dsl.serving.prompts import Wish, generation, prompt_of
from pipeline_dsl.serving.request_log import note_tokens
from pipeline_dsl.serving.settings import Settings
from pipeline_dsl.serving.shelf import Shelf
from pipeline_dsl.serving.texts import Text
from pipeline_dsl.serving.waiting import while_there

Json = dict[str, Any]


class Turn(BaseModel):
    """What was said before."""

    role: Literal["user", "assistant"]
    content: Text


class Said(BaseModel):
    """A message and what was said before it."""

    message: Annotated[Text, Field(min_length=1)]
    history: list[Turn] | None = None


def medimind_routes(shelf: Shelf, settings: Settings) -> APIRouter:
    """Return the route: the run's result answers, greedily."""
    routes = APIRouter()

    @routes.post("/api/v1/chat", summary="Answer a message.")
    async def chat(body: Said, request: Request) -> Json:
        served = shelf.default
        question = served.question(None)
        before = [Message(role=turn.role, content=turn.content) for turn in body.history or ()]
        used = question.takes_turns
        said = Message(role="user", content=body.message)
        sample = prompt_of(question, [*(before if used else ()), said])
        wish = Wish(max_new_tokens=settings.max_new_tokens)
        wanted = generation(f"chat-{secrets.token_hex(12)}", served.stack_name, question, sample, wish)
        ticket = served.worker.submit(wanted, whole=True)
        try:
            _, piece = await while_there(request, ticket.answer())
        finally:
            served.worker.cancel(ticket)
        note_tokens(request.scope, piece.tokens)
        answer = {
            "answer": piece.text.strip(),
            "confidence": piece.confidence,
            "safe": piece.confidence >= settings.confidence_threshold,
        }
        return answer | ({"history_used": False} if before and not used else {})

    return routes
