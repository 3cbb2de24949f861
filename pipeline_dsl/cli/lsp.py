"""``medrecipe lsp``: answer an editor about the recipes that it has open."""

from __future__ import annotations

import logging
import os
import sys
from io import BufferedWriter

import click

from pipeline_dsl.cli.extras import require
from pipeline_dsl.cli.options import no_plugins_option

_EXTRA = {"pygls", "lsprotocol", "attrs", "attr", "cattrs"}
_SWITCH_S = 0.0005
"""How long a thread may keep an answer waiting while it checks a recipe; Python's own is ten times that."""
_HELP = """Answer an editor about the recipes that it has open, over the Language Server Protocol.

An editor starts this and talks to it over standard input and output; there is nothing to type. It offers
mistakes as you type, completion, hover with defaults and where a value came from, definitions, references,
renaming over all files of a recipe, formatting, fixes, an outline, and the size of a batch beside "train".

The extension for VS Code and the lines for Neovim, Helix and Emacs are in the folder that this prints:

\b
  python -c "import pipeline_dsl; print(pipeline_dsl.__path__[0] + '/editors')"

Opening a recipe runs no code: Python files that it lists under "plugins" are loaded only with
--local-plugins.
It needs pip install 'medrecipe[lsp]'.

\b
Examples:
  medrecipe lsp
  medrecipe lsp --local-plugins
  medrecipe lsp --log debug 2> medrecipe-lsp.log
"""


@click.command("lsp", help=_HELP, short_help="Answer an editor: mistakes as you type, completion, hover.")
@click.option("--stdio", is_flag=True, help="Talk over standard input and output, which it does anyway.")
@click.option(
    "--local-plugins", is_flag=True, help="Load the plugin files of recipes: code of whoever wrote them."
)
@click.option(
    "--log",
    type=click.Choice(["error", "info", "debug"]),
    default="error",
    show_default=True,
    help="What to write to standard error.",
)
@no_plugins_option
def command(*, stdio: bool, local_plugins: bool, log: str, no_plugins: bool) -> int:  # noqa: ARG001 - a word editors add
    """Serve until the editor ends it."""
    refuse_without_extra()
    from pipeline_dsl.language_server import server
    from pipeline_dsl.language_server.catalogs import Catalogs
    from pipeline_dsl.language_server.session import Surroundings

    logging.basicConfig(level=log.upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(_SWITCH_S)
    catalogs = Catalogs(local_plugins=local_plugins, installed=not no_plugins)
    around = Surroundings(catalogs=catalogs, environment=os.environ)
    return 0 if server.run(around, sys.stdin.buffer, _protocol_alone()) else 1


def refuse_without_extra() -> None:
    """Raise MachineError (MR608) where what speaks with editors is not installed."""
    require("lsp", ("lsprotocol", "pygls"), within=_EXTRA, why="talking with editors needs", code="MR608")


def _protocol_alone() -> BufferedWriter:
    """Return standard output for the protocol, and send to standard error what anybody else prints."""
    sys.stdout.flush()
    writer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return writer
