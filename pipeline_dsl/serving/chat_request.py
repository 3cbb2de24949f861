"""What ``POST /v1/chat/completions`` takes: OpenAI's keys, as far as they mean something here.

Keys that real clients send and that mean nothing here are taken with the value that asks for nothing; any
other value, and any other key, is refused rather than left out silently.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline_dsl.api.records import Message
from pipeline_dsl.serving.texts import Text

_MOST_TOKENS = 1_000_000
_LONGEST_STOP = 200


def _neutral(value: object) -> object:
    """Take only what asks for nothing."""
    if value in (None, 0, "none", "auto", "default", "text") or value in ([], {}, {"type": "text"}, ["text"]):
        return value
    message = "this is not supported here"
    raise ValueError(message)


def _one(value: object) -> object:
    if value in (None, 1):
        return value
    message = "one answer a request is what there is"
    raise ValueError(message)


Neutral = Annotated[Any, AfterValidator(_neutral)]
Stop = Annotated[Text, Field(min_length=1, max_length=_LONGEST_STOP)]
Tokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS)]


class Strict(BaseModel):
    """Types are what they are called, and keys are known."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class TextPart(Strict):
    """A part of a message's content."""

    type: Literal["text"]
    text: Text


class ChatMessage(Strict):
    """A turn. What clients send back of our own answers is taken."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]
    name: str | None = None
    refusal: Neutral = None
    annotations: Neutral = None
    audio: Neutral = None
    function_call: Neutral = None
    tool_calls: Neutral = None

    def turn(self) -> Message:
        """As templates take it; a list of texts is one text, a line for each."""
        text = self.content
        if not isinstance(text, str):
            text = "\n".join(part.text for part in text)
        return Message(role="system" if self.role == "developer" else self.role, content=text)


class StreamOptions(Strict):
    """How an answer is streamed."""

    include_usage: bool = False
    include_obfuscation: bool = False
    """Taken and left out: it pads events."""


class ChatRequest(Strict):
    """A chat completion that is asked for."""

    model: Text
    """A phase, an adapter, the recipe's name, or ``base``."""
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    template: Text | None = None
    """Ours: which of the stack's templates asks; its first by default."""
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    """Goes before ``max_tokens``."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0, the default, is greedy decoding."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    parallel_tool_calls: bool | None = None
    n: Annotated[Any, AfterValidator(_one)] = None
    presence_penalty: Neutral = None
    frequency_penalty: Neutral = None
    logit_bias: Neutral = None
    logprobs: Neutral = None
    top_logprobs: Neutral = None
    tools: Neutral = None
    tool_choice: Neutral = None
    functions: Neutral = None
    function_call: Neutral = None
    response_format: Neutral = None
    service_tier: Neutral = None
    modalities: Neutral = None
    audio: Neutral = None
    prediction: Neutral = None
    reasoning_effort: Neutral = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts at which it ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def most_tokens(self) -> int | None:
        """How long the answer may be; None where the request does not say."""
        return self.max_completion_tokens or self.max_tokens
