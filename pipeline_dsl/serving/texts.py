"""Texts of requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _encodable(text: str) -> str:
    """Refuse half of a surrogate pair: JSON can escape one, but no encoding and no tokenizer can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "half of a surrogate pair is no text"
        raise ValueError(message) from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
