"""What a run is asked to do and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.plan.model import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run to be done."""

    plan: Plan
    """With files hashed (``plan.hashing``); the run identifies the base itself."""
    recipe_text: str
    """Snapshot of the recipe as written, for ``recipe.sdn``."""
    runs: Path
    """The folder of all runs."""
    only: tuple[str, ...] = ()
    """Phases to run (``--phase``); what they stand on must be finished and is reused. Empty: all."""
    start: str | None = None
    """First phase to run (``--from``); earlier ones must be finished and are reused."""
    fresh: bool = False
    """Train every phase, also where a finished one of the same fingerprint could be reused."""
    scoring: bool = True
    """Score tasks; False (``--no-evaluate``) only for plans in which nothing goes by scores."""
    resume: str | None = None
    """Id of a run to go on with, in its folder."""
    listeners: tuple[tuple[str, object], ...] = ()
    """Further listeners by name: objects with ``medrecipe_EVENT`` hookimpl methods, as a display has."""
    secrets: tuple[str, ...] = ()
    """Values that the recipe took from the environment: nothing that is written holds them."""
    say: Callable[[str], None] = print
    """Takes one line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended."""

    id: str
    folder: Path
    status: str
    """``finished``, ``rejected``, ``interrupted`` or ``failed``."""
    exit_code: int
