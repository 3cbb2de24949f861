"""What ``/v1/chat/completions`` answers: OpenAI's shapes, with our facts under ``medrecipe``."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from pipeline_dsl.api.generation import Piece

Json = dict[str, Any]
DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer while it is written."""

    id: str
    model: str
    """As the request called it."""
    fingerprint: str
    template: str
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, prompt_tokens: int, piece: Piece) -> Json:
        """The answer in one piece."""
        message = {"role": "assistant", "content": piece.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": piece.finish}
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": usage(prompt_tokens, piece.tokens),
            "medrecipe": self._facts(piece),
        }

    def first(self) -> Json:
        """The first chunk: who speaks."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def next(self, text: str) -> Json:
        """A chunk with more text."""
        return self._chunk({"content": text}, None)

    def last(self, piece: Piece) -> Json:
        """The chunk that says why it ends."""
        return {**self._chunk({}, piece.finish), "medrecipe": self._facts(piece)}

    def counted(self, prompt_tokens: int, tokens: int) -> Json:
        """The chunk with the usage, for those who ask for it."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage(prompt_tokens, tokens)}

    def _chunk(self, delta: Json, finish: str | None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }

    def _facts(self, piece: Piece) -> Json:
        return {"template": self.template, "confidence": piece.confidence}


def usage(prompt_tokens: int, tokens: int) -> Json:
    """Return what was read and written, in tokens."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": prompt_tokens + tokens,
    }


def event(content: Json) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"
