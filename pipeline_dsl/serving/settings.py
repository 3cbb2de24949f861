"""What an operator chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run is served."""

    say: Callable[[str], None]
    """Takes one line for the operator."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 for any that is free."""
    adapters: tuple[str, ...] = ()
    """Stacks to serve; none for all that share the base of the last."""
    slots: int = 16
    """Most texts that one base writes at once."""
    queue: int = 256
    """Most requests that wait for a slot, for each base."""
    max_body: int = 256 * 1024
    """Most bytes of a request's body."""
    body_seconds: float = 30.0
    """How long a body may take to come."""
    max_new_tokens: int = 256
    """Of an answer whose request does not say."""
    confidence_threshold: float = 0.3
    """From which on ``POST /api/v1/chat`` calls an answer safe."""
    grace: float = 10.0
    """Seconds that requests have to finish once the server is to stop."""
    token: str | None = None
    """What requests have to bring as ``Authorization: Bearer``."""
    allowed_hosts: tuple[str, ...] | None = None
    """Names by which it may be called (``Host``); None for any."""
    log_requests: bool = False
