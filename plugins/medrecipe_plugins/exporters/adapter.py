"""``adapter``: the whole stack as one LoRA adapter, for tools that take just one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.exporters._code import about_the_base, asking_code, base_code, fenced, quoted
from medrecipe_plugins.exporters._folding import folding
from pipeline_dsl.api import ExportJob, MergeProof, ModelShape, NoOptions, Provider, Shown, hookimpl


@dataclass(frozen=True, slots=True)
class OneAdapter:
    """The factors of all layers side by side, for the untouched base. See ``pipeline_dsl.api.Exporter``.

    It brings no tokenizer: that of the base is the right one, since tokens cannot be added by an adapter.
    """

    options: NoOptions
    library: ClassVar[str] = "peft"
    takes_dtype: ClassVar[bool] = False

    def size(self, job: ExportJob, shape: ModelShape) -> int:  # noqa: ARG002 - the contract's
        """Return the bytes of the adapters' files, which it has side by side."""
        folders = [layer.folder for layer in job.layers if layer.folder is not None]
        return sum(path.stat().st_size for folder in folders for path in folder.iterdir())

    def export(self, job: ExportJob) -> MergeProof | None:
        """Write one adapter in PEFT's layout; nothing is merged for it."""
        top = folding(job)
        job.say("loading the base")
        model = job.load()
        try:
            job.say(f"making one adapter of {', '.join(layer.name for layer in job.layers)}")
            top.concatenate(model, job.layers, job.folder)
        finally:
            model.close()
        return None

    def opening(self, shown: Shown) -> str:
        """Show it in PEFT, on the base as it was in training."""
        loading = (
            "from peft import PeftModel\n"
            f"{base_code(shown.base)}\n"
            f"model = PeftModel.from_pretrained(model, {quoted(shown.folder)})"
        )
        parts = (
            fenced(loading),
            about_the_base(shown.base),
            "The tokenizer is the base's own: the adapter adds nothing to it.",
            asking_code(shown),
        )
        return "\n\n".join(part for part in parts if part)


@hookimpl
def medrecipe_exporters() -> Sequence[Provider]:
    """Offer the exporter."""
    return [
        Provider(
            name="adapter",
            summary="one LoRA adapter that does what the whole stack does; for PEFT, vLLM and the like",
            factory=OneAdapter,
        )
    ]
