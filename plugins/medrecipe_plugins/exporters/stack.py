"""``stack``: every adapter as it is, with plan and manifests: a run that can be asked and opened again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.exporters._code import about_the_base, base_code, fenced, quoted
from pipeline_dsl.api import ExportJob, MergeProof, NoOptions, Provider, Shown, StackLayer, hookimpl

_BOTH_WAYS = """\
medrecipe holds every file against its hash and refuses another base. Each `adapter` folder under `phases`
opens in PEFT too; its `stack.json` says what it stands on. The whole stack there, on a base whose vocabulary
is as it was published:"""
_ROUNDING = "In 16 bits medrecipe sums what is merged in fp32 and rounds once, PEFT after each adapter."


@dataclass(frozen=True, slots=True)
class WholeStack:
    """The files of a run that a stack stands on, as they lie in its folder. See ``Exporter`` of the api."""

    options: NoOptions
    library: ClassVar[str] = "medrecipe"
    takes_dtype: ClassVar[bool] = False

    def export(self, job: ExportJob) -> MergeProof | None:
        """Copy the files; what was merged in training was proven there, and its proof comes along."""
        for name, path in job.files.items():
            target = job.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return None

    def opening(self, shown: Shown) -> str:
        """Show it in medrecipe and, layer by layer, in PEFT."""
        folder = shown.folder if "/" in shown.folder else f"./{shown.folder}"
        commands = f'medrecipe generate {_shell(folder)} --prompt "…"\nmedrecipe chat {_shell(folder)}'
        parts = (
            fenced(commands, "sh"),
            _BOTH_WAYS,
            fenced(_peft(shown)),
            about_the_base(shown.base),
            _ROUNDING,
        )
        return "\n\n".join(part for part in parts if part)


def _peft(shown: Shown) -> str:
    lines = ["from peft import PeftModel", base_code(shown.base)]
    merged = [layer for layer in shown.layers if layer.role == "merge"]
    active = [layer for layer in shown.layers if layer.role != "merge"]
    lines += [
        f"model = PeftModel.from_pretrained(model, {_place(shown, layer)}).merge_and_unload()"
        for layer in merged
    ]
    for number, layer in enumerate(active):
        name = quoted(f"layer_{number}")
        call = "model.load_adapter(" if number else "model = PeftModel.from_pretrained(model, "
        lines.append(f"{call}{_place(shown, layer)}, adapter_name={name})")
    if len(active) > 1:
        names = ", ".join(quoted(f"layer_{number}") for number in range(len(active)))
        lines.append(f"model.base_model.set_adapter([{names}])")
    return "\n".join(lines)


def _place(shown: Shown, layer: StackLayer) -> str:
    return quoted(f"{shown.folder}/{layer.folder.as_posix() if layer.folder else ''}")


def _shell(text: str) -> str:
    """Return a word as a shell reads it."""
    import shlex

    return shlex.quote(text)


@hookimpl
def medrecipe_exporters() -> Sequence[Provider]:
    """Offer the exporter."""
    return [
        Provider(
            name="stack",
            summary="all adapters with plan, scores and manifests; a run for medrecipe anywhere",
            factory=WholeStack,
        )
    ]
