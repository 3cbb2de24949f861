"""``merged``: the stack folded into the weights, a model like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.exporters._code import asking_code, fenced, model_class, quoted
from medrecipe_plugins.exporters._folding import folding
from pipeline_dsl.api import (
    ExportJob,
    MergeProof,
    ModelShape,
    NoOptions,
    Provider,
    Shown,
    hookimpl,
)

_WIDTH = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a weight."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A fresh base with the whole stack summed into its weights in fp32. See ``Exporter`` of the api."""

    options: NoOptions
    library: ClassVar[str] = "transformers"
    takes_dtype: ClassVar[bool] = True

    def size(self, job: ExportJob, shape: ModelShape) -> int:
        """Return the bytes of the weights."""
        return shape.parameters * _WIDTH.get(job.dtype or job.base.dtype, 4)

    def export(self, job: ExportJob) -> MergeProof:
        """Fold the stack into the base, prove it, and write weights and tokenizer."""
        top = folding(job)
        job.say("loading the base")
        model = job.load()
        try:
            job.say(f"folding {', '.join(layer.name for layer in job.layers)} into its weights")
            proof = top.fold(model, job.layers)
            job.say(f"proven: {_told(proof)}")
            job.say("writing the weights")
            model.save(job.folder, job.dtype)
        finally:
            model.close()
        return proof

    def opening(self, shown: Shown) -> str:
        """Show it in transformers."""
        name, folder = model_class(shown.base), quoted(shown.folder)
        loading = (
            f"from transformers import {', '.join(sorted([name, 'AutoTokenizer']))}\n\n"
            f'model = {name}.from_pretrained({folder}, dtype="auto")\n'
            f"tokenizer = AutoTokenizer.from_pretrained({folder})"
        )
        return "\n\n".join(part for part in (fenced(loading), asking_code(shown)) if part)


def _told(proof: MergeProof) -> str:
    return f"logits differ by {proof.max_abs_logit_difference:.2g}, at most {proof.tolerance:.2g} is allowed"


@hookimpl
def medrecipe_exporters() -> Sequence[Provider]:
    """Offer the exporter."""
    return [
        Provider(
            name="merged",
            summary="weights with the stack folded in, and the tokenizer; for transformers and what reads it",
            factory=Merged,
        )
    ]
