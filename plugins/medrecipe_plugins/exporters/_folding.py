"""The adapter of a stack that can leave as one thing."""

from __future__ import annotations

from pipeline_dsl.api import ExportJob, Folding, ModelError


def folding(job: ExportJob) -> Folding:
    """Return the topmost adapter, or raise ModelError (MR473) where its kind knows only whole stacks."""
    top = job.layers[-1]
    if isinstance(top.adapter, Folding):
        return top.adapter
    raise ModelError(
        f"the adapter {top.name} is of a kind that can be neither folded into weights nor made one adapter",
        help="export it --to stack",
        code="MR473",
    )
