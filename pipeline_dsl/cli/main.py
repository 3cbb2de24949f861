"""The entry of ``medrecipe``: overview, commands (imported when called), the border at which bugs stop."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pipeline_dsl import __version__
from pipeline_dsl.cli.collecting import imports_spared
from pipeline_dsl.cli.groups import LazyGroup, Listed, Section

if TYPE_CHECKING:
    from pipeline_dsl.api.errors import MedrecipeError

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended."""

_SECTIONS = (
    Section(
        "Recipes",
        (
            Listed("check", "Find all mistakes of recipes without loading a model."),
            Listed("plan", "Show what a run would do, phase by phase, and why."),
            Listed("resolve", "Show a recipe with all overlays applied, or where a value came from."),
            Listed("import", "Turn a training config of another tool into a recipe.", "import_recipe"),
            Listed("fmt", "Write recipes in their normal form."),
            Listed("sdn", "Read and change the notation that recipes are written in."),
            Listed("lsp", "Answer an editor: mistakes as you type, completion, hover."),
        ),
    ),
    Section(
        "Runs",
        (
            Listed("run", "Train the phases of a recipe."),
            Listed("eval", "Score the tasks of a finished run again.", "evaluate"),
            Listed("generate", "Have a trained run write."),
            Listed("chat", "Talk to a trained run."),
            Listed("export", "Write a trained stack for other tools: merged, one adapter, or all of it."),
            Listed("serve", "Answer over HTTP: OpenAI's shape, several adapters on one base."),
            Listed("runs", "List runs and look into one."),
        ),
    ),
    Section(
        "Reference",
        (
            Listed("explain", "Explain a code such as MR402, with a wrong and a right example."),
            Listed("plugins", "List what the installed plugins offer."),
            Listed("schema", "Print the JSON Schema of recipes, or write all schemas."),
        ),
    ),
)

_OVERVIEW = """Adapt medical language models in phases of stacked LoRA, as a recipe says.

\b
A first round:
  medrecipe check recipes/medgemma_korean.sdn    find mistakes, in a moment
  medrecipe plan recipes/medgemma_korean.sdn     what would be trained on what
  medrecipe run recipes/medgemma_korean.sdn      train it, score it, judge it
  medrecipe runs list                            what has been run so far

"medrecipe COMMAND --help" tells more about a command.
"""


@click.group(
    cls=LazyGroup,
    sections=_SECTIONS,
    package="pipeline_dsl.cli",
    help=_OVERVIEW,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="medrecipe", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error; may stand anywhere.")
def cli(*, debug: bool) -> None:
    """The group of all commands; its help is the overview."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process by default) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    _speak_utf8()
    try:
        with imports_spared():
            code = cli.main(
                [a for a in given if a != "--debug"], prog_name="medrecipe", standalone_mode=False
            )
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # click turns the first into the second, and exits for nothing else
        return _nobody_reads()
    except click.ClickException as error:
        return _usage_error(error)
    except Exception as error:  # noqa: BLE001 - the border of the program: a bug becomes one line, exit 1
        return _failed(error, debug=debug)
    return code if isinstance(code, int) else 0


def _usage_error(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return 0
    from pipeline_dsl.cli.terminal import folded, room

    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
        click.echo(f"Try '{error.ctx.command_path} --help' for help.\n", err=True)
    click.echo("\n".join(folded(f"Error: {error.format_message()}", room(sys.stderr))), err=True)
    return 2


def _failed(error: Exception, *, debug: bool) -> int:
    """Say what ended the command: a fault that its user can act on, or a bug."""
    from pipeline_dsl.api.errors import MedrecipeError
    from pipeline_dsl.cli.render import fault_text
    from pipeline_dsl.cli.terminal import Paint, room

    if isinstance(error, MedrecipeError):
        click.echo(fault_text(error, Paint.of(sys.stderr), room(sys.stderr)), err=True)
    else:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        advice = "" if debug else ", with the traceback that --debug shows"
        click.echo(f"internal error: {what}; please report it{advice}", err=True)
    if debug:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True)
    return _exit_code(error) if isinstance(error, MedrecipeError) else 1


def _exit_code(error: MedrecipeError) -> int:
    """The exit code of the error's class or, of the general class with a code of its own, that code's."""
    from pipeline_dsl.cli.exits import exit_code_of

    general = error.exit_code == 1 and error.code != error.general_code
    return exit_code_of(error.code) if general else error.exit_code


def _speak_utf8() -> None:
    """Write UTF-8 whatever the locale; what no encoding can hold (a lone surrogate) is shown as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _nobody_reads() -> int:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


if __name__ == "__main__":
    sys.exit(main())
