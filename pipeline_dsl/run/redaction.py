"""Values that a recipe took from the environment are never written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HIDDEN = "***"
_SHORTEST = 6
"""Shorter values would blot out ordinary words, and are no secrets."""


def redact(value: Any, secrets: Sequence[str]) -> Any:
    """Return JSON with ``***`` for every secret in its texts."""
    kept = sorted((s for s in secrets if len(s) >= _SHORTEST), key=len, reverse=True)
    return _redact(value, kept) if kept else value


def is_redacted(value: Any) -> bool:
    """Whether something was taken out of a JSON value."""
    if isinstance(value, dict):
        return any(is_redacted(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_redacted(item) for item in value)
    return isinstance(value, str) and HIDDEN in value


def _redact(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {key: _redact(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
    return value
