"""``medrecipe sdn``: the notation itself, without any meaning."""

from __future__ import annotations

import click

from pipeline_dsl.cli.documents import json_text
from pipeline_dsl.cli.exits import RECIPE
from pipeline_dsl.cli.groups import Group
from pipeline_dsl.cli.prepare import tell

_HELP = """Read the notation that recipes are written in.

\b
Examples:
  medrecipe sdn to-json recipes/medgemma_korean.sdn
  cat recipes/medgemma_korean.sdn | medrecipe sdn to-json - | jq .phases
"""


_TO_JSON_HELP = """Print the values of a text as JSON; - is standard input.

A table becomes a list of objects, a typed table a list of lists. Whatever would be lost or could be read in
two ways is an error with its place, and then nothing is printed to stdout.

\b
Examples:
  medrecipe sdn to-json recipes/medgemma_korean.sdn
  medrecipe sdn to-json - < recipes/medgemma_korean.sdn
"""


@click.group(
    "sdn",
    cls=Group,
    help=_HELP,
    short_help="Read the notation that recipes are written in.",
    no_args_is_help=True,
)
def command() -> None:
    """The commands of the notation."""


@command.command("to-json", help=_TO_JSON_HELP, short_help="Print the values of a text as JSON.")
@click.argument("file", metavar="FILE")
def to_json(file: str) -> int:
    """Print the values of a text as JSON."""
    from pipeline_dsl.syntax.nodes import plain
    from pipeline_dsl.syntax.parser import parse
    from pipeline_dsl.syntax.reading import read_source

    source, found = read_source(file)
    if source is not None:
        parsed = parse(source)
        found = (*found, *parsed.diagnostics)
        if parsed.root is not None and not any(d.is_error for d in found):
            click.echo(json_text(plain(parsed.root)))
    tell(found)
    return RECIPE if any(d.is_error for d in found) else 0
