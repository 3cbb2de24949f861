"""``GET /v1/models``: who answers, and how each wants to be asked."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from pipeline_dsl.run.asking import Question
from pipeline_dsl.serving.shelf import Served, Shelf

Json = dict[str, Any]
_OPTIONS = ("A", "B", "C", "D", "E")
_HINTS = {
    ("text",): "the beginning of a text, which is then continued",
    ("english",): "an English term or sentence",
    ("korean",): "a Korean term or sentence",
    (): "a term or sentence, English or Korean",
    ("question", *_OPTIONS): "a question, and below it five lines: A) … to E) …",
    ("context", "question"): "a context, an empty line, and the question below it",
    ("instruction",): "a question or an instruction",
    ("question",): "a question",
}
"""What to type, by the columns that a prompt needs."""


def model_routes(shelf: Shelf, created: int) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/v1/models", summary="List who answers.")
    async def models() -> Json:
        return {"object": "list", "data": [_model(shelf, name, created) for name in shelf.ids]}

    @routes.get("/v1/models/{name}", summary="Tell of one who answers; adapters' names do too.")
    async def model(name: str) -> Json:
        return _model(shelf, name, created)

    return routes


def _model(shelf: Shelf, name: str, created: int) -> Json:
    served = shelf.find(name)
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "medrecipe",
        "medrecipe": _facts(shelf, served),
    }


def _facts(shelf: Shelf, served: Served) -> Json:
    question = served.question(None)
    return {
        "run": shelf.run.folder.id,
        "phase": served.stack.name,
        "adapters": list(served.stack.adapters),
        "rejected": served.stack.rejected,
        "fingerprint": served.fingerprint,
        "template": question.name,
        "takes_turns": question.takes_turns,
        "templates": [_asked(each) for each in served.questions],
    }


def _asked(question: Question) -> Json:
    wanted = f"a row with {', '.join(question.fields)}"
    return {
        "name": question.name,
        "takes_turns": question.takes_turns,
        "type": _HINTS.get(question.fields, wanted),
        "multiline": len(question.fields) > 1,
    }
