"""``medrecipe export``: a trained stack in a form that other tools open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.options import (
    device_option,
    json_option,
    no_plugins_option,
    plugin_option,
    runs_option,
)
from pipeline_dsl.cli.prepare import catalog_for, choices_of
from pipeline_dsl.cli.used_run import local_plugins
from pipeline_dsl.run.exporting import (
    Exported,
    ExportRequest,
    Form,
    export_stack,
    find_form,
    refuse_full,
)
from pipeline_dsl.run.finished import open_run
from pipeline_dsl.run.history import locate_run
from pipeline_dsl.run.markdown import size

_HELP = """Write a trained stack for other tools: merged, one adapter, or all of it.

\b
  merged   the base with the stack summed into its weights in fp32, rounded
           once and proven by logits, with tokenizer: for transformers and
           all that reads its format
  adapter  one LoRA adapter, the ranks of all layers side by side, for tools
           that take just one on the untouched base: PEFT, vLLM
  stack    every adapter as it is, with plan, scores and manifests:
           "medrecipe generate ./DIR" opens it

Every file is held against its hash before, and the base too. DIR gets its name once all is written: a model
card (README.md) with data, phases, scores and licence notes, and export.json with the hash of each file. A
DIR with something in it is left alone.

RUN is an id or as much of its beginning as is unique, or the folder of a run or of an exported stack.

\b
Examples:
  medrecipe export 20260412-10 --to merged --out medgemma-korean
  medrecipe export 20260412-10 --to merged --dtype bfloat16 --out medgemma-korean
  medrecipe export 20260412-10 --adapter cardiology --to adapter --out cardiology
  medrecipe export 20260412-10 --to stack --out shared/korean --json
"""
_SHORT = "Write a trained stack for other tools: merged, one adapter, or all of it."
_BLOCK = re.compile(r"^(`{3,})\w*\n(.*?)^\1$", re.DOTALL | re.MULTILINE)


@click.command(
    "export",
    help=_HELP,
    short_help=_SHORT,
)
@click.argument("run", metavar="RUN")
@click.option(
    "--to", "form", required=True, metavar="FORM", help="merged, adapter, stack, or a plugin's own."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The folder to make."
)
@click.option(
    "--adapter",
    "--phase",
    "name",
    metavar="NAME",
    help="Export what this phase left, or the phase that trained this adapter. [default: the last]",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Round merged weights to this number format. [default: that of the base]",
)
@click.option("--rejected-too", is_flag=True, help="Export a phase that broke its retention contract too.")
@json_option
@device_option
@plugin_option
@no_plugins_option
@runs_option
def command(*, run: str, form: str, runs: Path, as_json: bool, **options: Any) -> None:
    """Open the run, export it, and say how it is opened."""
    choices = choices_of(options)
    request = ExportRequest(**options)
    catalog = catalog_for(local_plugins(locate_run(runs, run)), choices)
    chosen = find_form(catalog, form)
    _refuse_dtype(chosen, request)
    refuse_full(request.out)
    opened = open_run(runs, run, catalog, device=choices.device, say=_say)
    done = export_stack(opened, chosen, request, _say)
    if as_json:
        print_document(_document(done))
    else:
        _tell(done)


def _refuse_dtype(form: Form, request: ExportRequest) -> None:
    if request.dtype is not None and not form.takes_dtype:
        msg = f"--dtype is about merged weights, and --to {form.ref.name} keeps what was trained as it is."
        raise click.UsageError(msg)


def _document(done: Exported) -> dict[str, Any]:
    return {
        "run": done.run,
        "phase": done.phase,
        "form": done.form,
        "folder": str(done.folder),
        "files": done.files,
        "bytes": done.bytes,
        "proof": done.proof,
    }


def _tell(done: Exported) -> None:
    click.echo(f"{done.folder}  {done.form} of {done.phase}: {done.files} files, {size(done.bytes)}")
    block = _BLOCK.search(done.opening)
    if block:
        click.echo("\n" + "\n".join(f"  {line}".rstrip() for line in block.group(2).splitlines()))
    click.echo("\nREADME.md in it is the model card, export.json has the hash of every file")


def _say(line: str) -> None:
    click.echo(line, err=True)
