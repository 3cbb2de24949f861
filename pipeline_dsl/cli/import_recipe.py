"""``medrecipe import``: a training config of another tool as a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline_dsl.cli.exits import RECIPE
from pipeline_dsl.cli.figures import counted
from pipeline_dsl.cli.prepare import Choices, prepare, tell
from pipeline_dsl.diagnostics import Source

_HELP = """Turn a training config of another tool into a recipe.

FILE is a YAML config of axolotl, LLaMA-Factory, torchtune or TRL ("trl sft --config"), or a phase file of
the MedGemma Korean example; several of those become one recipe with a phase each. The keys tell which tool
it is; --from says it where they do not.

Nothing is dropped in silence: every key is carried, or stands as a comment in the recipe with its value and
the reason. What the tool takes where the config says nothing is written out and called its default. Secrets
are never written. The recipe is checked like one of yours: what is found (data that is not there, say) is
shown and decides the exit code, and the recipe is written all the same. What cannot become a stack of LoRA
adapters (full fine-tuning, preferences, images) is refused with a code and the place.

Paths of a config count from the working directory, as in these tools; in the recipe they are written as
seen from where it will lie.

\b
Examples:
  medrecipe import qlora.yaml                          print the recipe
  medrecipe import qlora.yaml --out recipes/ward.sdn   write it, with paths as seen from recipes/
  medrecipe import sft.yaml --from trl | less          say whose config it is
  medrecipe import phase0.sdn phase1.sdn phase2.sdn --out korean.sdn
"""


@click.command("import", help=_HELP, short_help="Turn a training config of another tool into a recipe.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--from",
    "tool",
    type=click.Choice(["axolotl", "llama-factory", "torchtune", "trl", "medgemma-sdn"]),
    help="Whose config it is, where the keys do not say it.",
)
@click.option("--out", metavar="FILE", help="Write the recipe there, not to stdout.")
@click.option("--force", is_flag=True, help="Let --out replace a file that is there.")
def command(files: tuple[str, ...], tool: str | None, out: str | None, *, force: bool) -> int:
    """Convert the files, say what was not carried, check the recipe, and hand it over."""
    from pipeline_dsl.importing.conversion import convert
    from pipeline_dsl.importing.places import Places

    _refuse_streams(files, out)
    if out is not None and not force and Path(out).exists():
        message = f"{out} is there already: name another file, or add --force to replace it"
        raise click.UsageError(message)
    folder = Path(out).parent if out else Path()
    done = convert(files, tool, Places(working=Path.cwd(), recipe=folder.resolve()))
    for sentence in done.said:
        click.echo(sentence, err=True)
    if done.text is None:
        tell(done.findings)
        return RECIPE
    for origin in done.origins:
        click.echo(_account(origin.file, origin.account.carried, origin.account.total), err=True)
        for left in origin.account.left:
            hint = f"; did you mean `{left.meant}`?" if left.meant else ""
            click.echo(f"  not carried: {left.path}: {left.value}{hint}", err=True)
        if origin.account.empty:
            click.echo(f"  without a value: {', '.join(origin.account.empty)}", err=True)
    return _hand_over(done.text, out)


def _refuse_streams(files: Sequence[str], out: str | None) -> None:
    if "-" in files:
        message = "a config is read from a file: its name becomes the recipe's, and its folder is looked into"
        raise click.UsageError(message)
    if out == "-":
        message = "without --out the recipe goes to stdout"
        raise click.UsageError(message)


def _account(file: str, carried: int, total: int) -> str:
    return f"{file}: carried {carried} of {counted(total, 'key')}"


def _hand_over(text: str, out: str | None) -> int:
    """Check the text as if it lay where it will, then print or write it."""
    found = prepare(out or "-", Choices(), source=Source.of(out or "-", text))
    if out is None:
        click.echo(text, nl=False)
    else:
        from pipeline_dsl.run.atomic import write_text

        write_text(Path(out), text)
        click.echo(f"{out}: written; medrecipe check {out} looks at it again", err=True)
    tell(found.diagnostics)
    return found.exit_code
