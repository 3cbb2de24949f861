"""``medrecipe sdn``: the notation itself, without any meaning."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from pipeline_dsl.cli.documents import json_text
from pipeline_dsl.cli.exits import RECIPE
from pipeline_dsl.cli.fmt import STANDARD_INPUT
from pipeline_dsl.cli.fmt import command as fmt
from pipeline_dsl.cli.groups import Group
from pipeline_dsl.cli.prepare import tell
from pipeline_dsl.diagnostics import Diagnostic

if TYPE_CHECKING:
    from pipeline_dsl.syntax.nodes import Node
    from pipeline_dsl.syntax.parser import Parsed

_HELP = """Read and change the notation that recipes are written in.

What the words of a recipe mean does not count here: any text of the notation will do. A path is one as
"--set" takes it: a.b.c, rows of lists and tables by index from 0 or by their first column, names with dots in
them whole or in quotes.

\b
Examples:
  medrecipe sdn check recipes/*.sdn
  cat recipes/medgemma_korean.sdn | medrecipe sdn to-json - | jq .phases
  medrecipe sdn get recipes/medgemma_korean.sdn tasks.fluency.metric
  medrecipe sdn set recipes/base.sdn train.epochs 5
"""

_CHECK_HELP = """Find the mistakes of notation in texts; - is standard input.

Only how a text is written is looked at, not what it says: "medrecipe check" does both. The exit code is 0
when all is fine, else 2.

\b
Examples:
  medrecipe sdn check recipes/*.sdn
  medrecipe sdn check - < runs/korean/RUN/metadata.sdn
"""

_TO_JSON_HELP = """Print the values of a text as JSON; - is standard input.

A table becomes a list of objects, a typed table a list of lists. Whatever would be lost or could be read in
two ways is an error with its place, and then nothing is printed to stdout.

\b
Examples:
  medrecipe sdn to-json recipes/medgemma_korean.sdn
  medrecipe sdn to-json - < recipes/medgemma_korean.sdn
"""

_FROM_JSON_HELP = """Print a JSON object as a text of the notation; - is standard input.

Lists of objects with the same keys and single values become tables. The text reads as the same values; what
the notation cannot hold, and the same key twice, is an error, and then nothing is printed to stdout.

\b
Examples:
  medrecipe sdn from-json config.json > recipe.sdn
  medrecipe sdn to-json a.sdn | jq '.seed = 7' | medrecipe sdn from-json -
"""

_GET_HELP = """Print the value at a path; - is standard input.

Text, numbers, true, false and null are printed as they are, lists and mappings in the notation, or
everything as JSON with --json. A path that is not there is an error that names the nearest.

\b
Examples:
  medrecipe sdn get recipes/base.sdn train.epochs
  medrecipe sdn get recipes/medgemma_korean.sdn phases.mcq.mix.0.weight
  medrecipe sdn get recipes/medgemma_korean.sdn tasks.fluency --json
"""

_SET_HELP = """Change the value at a path, and nothing else of the text.

The value is read as after --set: 5 is a number, "5" in quotes a text, [a, b] a list, {a: 1} a mapping. Every
byte beside the value stays; a comment behind it does too. A block or table is replaced whole, with the
comments in it. A key that a mapping does not have is added behind its last one, written like that, and told.

The file is replaced whole, and only if it changes. - reads standard input and writes standard output.

\b
Examples:
  medrecipe sdn set recipe.sdn train.learning_rate 1e-4
  medrecipe sdn set recipe.sdn tasks.fluency.limit null
  medrecipe sdn set recipe.sdn tags "[korean, medical]"
  medrecipe sdn set - seed 7 < recipe.sdn > other.sdn
"""


@click.group(
    "sdn",
    cls=Group,
    help=_HELP,
    short_help="Read and change the notation that recipes are written in.",
    no_args_is_help=True,
)
def command() -> None:
    """The commands of the notation."""


command.add_command(fmt, "fmt")


@command.command("check", help=_CHECK_HELP, short_help="Find the mistakes of notation in texts.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check(files: tuple[str, ...]) -> int:
    """Find the mistakes of notation in texts."""
    found: list[Diagnostic] = []
    for file in dict.fromkeys(files):
        parsed, here = _parsed(file)
        found += here
        if parsed is not None:
            click.echo(f"{file}: fine")
    return _told(found)


@command.command("to-json", help=_TO_JSON_HELP, short_help="Print the values of a text as JSON.")
@click.argument("file", metavar="FILE")
def to_json(file: str) -> int:
    """Print the values of a text as JSON."""
    from pipeline_dsl.syntax.nodes import plain

    parsed, found = _parsed(file)
    if parsed is not None:
        click.echo(json_text(plain(parsed.root)))
    return _told(found)


@command.command(
    "from-json", help=_FROM_JSON_HELP, short_help="Print a JSON object as a text of the notation."
)
@click.argument("file", metavar="FILE")
def from_json(file: str) -> int:
    """Print a JSON object as a text of the notation."""
    from pipeline_dsl.syntax.json_text import from_json
    from pipeline_dsl.syntax.reading import read_source

    source, found = read_source(file)
    if source is not None:
        text, found = from_json(source)
        click.echo(text or "", nl=False)
    return _told(found)


@command.command("get", help=_GET_HELP, short_help="Print the value at a path.")
@click.argument("file", metavar="FILE")
@click.argument("path", metavar="PATH")
@click.option("--json", "as_json", is_flag=True, help="Print the value as JSON.")
def get(file: str, path: str, *, as_json: bool) -> int:
    """Print the value at a path."""
    from pipeline_dsl.cli.places import find, not_there
    from pipeline_dsl.recipe.paths import Missing

    parsed, found = _parsed(file)
    if parsed is None:
        return _told(found)
    place = find(parsed.root, path)
    if isinstance(place, Missing):
        return _told([not_there(place, path)])
    click.echo(_shown(place.node, as_json=as_json))
    return 0


@command.command("set", help=_SET_HELP, short_help="Change the value at a path, and nothing else.")
@click.argument("file", metavar="FILE")
@click.argument("path", metavar="PATH")
@click.argument("value", metavar="VALUE")
def set_value(file: str, path: str, value: str) -> int:
    """Change the value at a path."""
    from pipeline_dsl.cli.places import find, may_be_made, not_there, was_added
    from pipeline_dsl.diagnostics import Source
    from pipeline_dsl.recipe.paths import Missing
    from pipeline_dsl.syntax.editing import with_value
    from pipeline_dsl.syntax.parser import parse_value

    parsed, found = _parsed(file)
    new, wrong = parse_value(Source.of("VALUE", value))
    if parsed is None or new is None:
        return _told([*found, *wrong])
    place = find(parsed.root, path)
    if isinstance(place, Missing) and not may_be_made(parsed.root, place):
        return _told([not_there(place, path)])
    steps = (*place.steps, *place.rest) if isinstance(place, Missing) else place.steps
    text = with_value(parsed, steps, new)
    if text is None:
        return _told([_not_in_place(place.node, path)])
    _write(parsed, text)
    if isinstance(place, Missing):
        click.echo(was_added(place, file, path), err=True)
    return 0


def _parsed(file: str) -> tuple[Parsed | None, tuple[Diagnostic, ...]]:
    """A text that has no error, or nothing; and what was found."""
    from pipeline_dsl.syntax.parser import parse
    from pipeline_dsl.syntax.reading import read_source

    source, found = read_source(file)
    if source is None:
        return None, found
    parsed = parse(source)
    return parsed if parsed.ok else None, parsed.diagnostics


def _told(found: list[Diagnostic] | tuple[Diagnostic, ...]) -> int:
    tell(found)
    return RECIPE if any(d.is_error for d in found) else 0


def _shown(node: Node, *, as_json: bool) -> str:
    from pipeline_dsl.syntax.nodes import plain
    from pipeline_dsl.syntax.render import render

    value = plain(node)
    if as_json:
        return json_text(value)
    return value if isinstance(value, str) else render(value).removesuffix("\n")


def _not_in_place(node: Node, path: str) -> Diagnostic:
    from pipeline_dsl.syntax.codes import Code

    return Diagnostic(
        code=Code.NOT_IN_PLACE.value,
        message=f"`{path}` cannot be set to that and leave the rest as it is",
        span=node.span,
        help="set the single values in it, or change the file by hand",
    )


def _write(parsed: Parsed, text: str) -> None:
    from pipeline_dsl.cli.replacing import replace_text

    source = parsed.source
    if source.name == STANDARD_INPUT:
        click.echo(text, nl=False)
    elif text != source.text:
        replace_text(os.path.realpath(source.name), source.text, text)
