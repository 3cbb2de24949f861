"""Streams have no end: a phase that trains on one has to say how many steps it takes."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_dsl.api.contracts import Trainer
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.choose import Chosen, failed
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.recipe.data import block_and_part
from pipeline_dsl.recipe.model import Phase, Recipe


def without_end(recipe: Recipe, phase: Phase, train: Chosen) -> Iterator[Diagnostic]:
    """Say if the phase has a streamed source and its trainer does not know how many steps to take."""
    streamed = {block.name.name for block in recipe.data if block.view.streaming}
    entry = next((e for e in phase.mix if block_and_part(e.data.name)[0] in streamed), None)
    if entry is None:
        return
    trainer: Trainer = train.made
    try:
        trainer.steps(None)
    except DataError:
        yield Diagnostic(
            code=PlanCode.STREAM_WITHOUT_END.code,
            message=f"`{entry.data.name}` is streamed and has no end: say how many steps to train",
            span=entry.data.span,
            help="write for example `train: {max_steps: 1000}` in the phase",
        )
    except Exception as error:  # noqa: BLE001 - the plugin border: the finding names the plugin
        yield failed(train.ref, train.span, error, "cannot tell its steps on a stream")
