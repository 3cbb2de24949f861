"""The hooks of medrecipe (pluggy, project name ``medrecipe``).

Offers are called once, return a list of providers and import nothing heavy. Notifications get one frozen
event and return nothing. A misspelt hook is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pluggy

from pipeline_dsl.api import events
from pipeline_dsl.api.providers import Provider

PROJECT = "medrecipe"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Offers(Protocol):
    """What a plugin may offer."""

    @hookspec
    def medrecipe_models(self) -> Sequence[Provider]:
        """Bases to adapt (``contracts.Model``)."""

    @hookspec
    def medrecipe_adapters(self) -> Sequence[Provider]:
        """Kinds of adapters (``contracts.Adapter``)."""

    @hookspec
    def medrecipe_sources(self) -> Sequence[Provider]:
        """Sources of rows (``contracts.Source``)."""

    @hookspec
    def medrecipe_templates(self) -> Sequence[Provider]:
        """Prompt templates (``contracts.Template``)."""

    @hookspec
    def medrecipe_trainers(self) -> Sequence[Provider]:
        """Training loops (``contracts.Trainer``)."""

    @hookspec
    def medrecipe_metrics(self) -> Sequence[Provider]:
        """Scorers (``contracts.Metric``)."""

    @hookspec
    def medrecipe_actions(self) -> Sequence[Provider]:
        """What a recipe can bind to an event (``contracts.Action``)."""

    @hookspec
    def medrecipe_trackers(self) -> Sequence[Provider]:
        """Listeners that keep a history (``contracts.Tracker``)."""

    @hookspec
    def medrecipe_executors(self) -> Sequence[Provider]:
        """Places where a phase runs (``contracts.Executor``)."""

    @hookspec
    def medrecipe_exporters(self) -> Sequence[Provider]:
        """Forms in which a trained stack leaves medrecipe (``contracts.Exporter``)."""


class Notifications(Protocol):
    """What a plugin may be told; ``events`` says when each one fires."""

    @hookspec
    def medrecipe_run_start(self, event: events.RunStart) -> None:
        """A run begins."""

    @hookspec
    def medrecipe_phase_start(self, event: events.PhaseStart) -> None:
        """A phase begins."""

    @hookspec
    def medrecipe_model_ready(self, event: events.ModelReady) -> None:
        """Base loaded, stack attached."""

    @hookspec
    def medrecipe_stage_started(self, event: events.StageStarted) -> None:
        """A stage of a phase begins."""

    @hookspec
    def medrecipe_started(self, event: events.Started) -> None:
        """The training loop begins."""

    @hookspec
    def medrecipe_epoch_started(self, event: events.EpochStarted) -> None:
        """An epoch begins."""

    @hookspec
    def medrecipe_iteration_started(self, event: events.IterationStarted) -> None:
        """An optimizer step begins."""

    @hookspec
    def medrecipe_iteration_completed(self, event: events.IterationCompleted) -> None:
        """An optimizer step is done."""

    @hookspec
    def medrecipe_epoch_completed(self, event: events.EpochCompleted) -> None:
        """An epoch is done."""

    @hookspec
    def medrecipe_evaluation_completed(self, event: events.EvaluationCompleted) -> None:
        """A task was scored."""

    @hookspec
    def medrecipe_checkpoint_saved(self, event: events.CheckpointSaved) -> None:
        """A checkpoint is complete on disk."""

    @hookspec
    def medrecipe_completed(self, event: events.Completed) -> None:
        """The loop came to its end."""

    @hookspec
    def medrecipe_terminated(self, event: events.Terminated) -> None:
        """The loop was ended early."""

    @hookspec
    def medrecipe_stage_completed(self, event: events.StageCompleted) -> None:
        """A stage of a phase is over."""

    @hookspec
    def medrecipe_exception_raised(self, event: events.ExceptionRaised) -> None:
        """The phase failed."""

    @hookspec
    def medrecipe_phase_end(self, event: events.PhaseEnd) -> None:
        """A phase is over."""

    @hookspec
    def medrecipe_run_end(self, event: events.RunEnd) -> None:
        """A run is over."""
