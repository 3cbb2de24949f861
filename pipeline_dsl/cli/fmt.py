"""``medrecipe fmt``: texts in their normal form."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import unified_diff

import click

from pipeline_dsl.cli.exits import RECIPE
from pipeline_dsl.cli.prepare import tell
from pipeline_dsl.diagnostics import Diagnostic, Source

STANDARD_INPUT = "-"
WOULD_CHANGE = 1
_LINE = re.compile(r"[^\n]*\n|[^\n]+")

_HELP = """Write recipes in their normal form.

Indentation, spaces, blank lines, commas and the columns of tables become as they always are; there is
nothing to choose. Values, their spelling, comments and line ends inside brackets stay. A file is replaced
whole, and only if it changes. One with mistakes of notation is left as it is; the others are written.

- reads standard input and writes standard output. The exit code is 0, 1 where --check finds a text that
would change, 2 for mistakes in a text.

\b
Examples:
  medrecipe fmt recipes/*.sdn
  medrecipe fmt --check recipes/*.sdn
  medrecipe fmt --diff recipes/medgemma_korean.sdn
  medrecipe fmt - < recipes/medgemma_korean.sdn
  medrecipe sdn fmt recipes/base.sdn             the same command
"""


@click.command("fmt", help=_HELP, short_help="Write recipes in their normal form.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--check", is_flag=True, help="Write nothing; list what would change, and exit with 1 if any.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change as a unified diff.")
def command(files: tuple[str, ...], *, check: bool, diff: bool) -> int:
    """Write files in their normal form."""
    found: list[Diagnostic] = []
    changed = 0
    for file in dict.fromkeys(files):
        source, text, here = _formed(file)
        found += here
        if source is None:
            continue
        differs = text != source.text
        changed += differs
        if diff:
            click.echo("".join(difference(source, text)), nl=False)
        if check:
            click.echo(f"{file}: would be formatted", err=diff) if differs else None
        elif not diff:
            _write(source, text)
    tell(found)
    if found:
        return RECIPE
    return WOULD_CHANGE if check and changed else 0


def _formed(file: str) -> tuple[Source | None, str, tuple[Diagnostic, ...]]:
    """A file and its normal form; no source where it has errors."""
    from pipeline_dsl.syntax.formatting import formatted
    from pipeline_dsl.syntax.parser import MAX_SIZE, parse
    from pipeline_dsl.syntax.reading import read_source

    source, found = read_source(file)
    if source is None:
        return None, "", found
    parsed = parse(source)
    if not parsed.ok:
        return None, "", tuple(d for d in parsed.diagnostics if d.is_error)
    text = formatted(parsed)
    if len(text) > MAX_SIZE:
        return None, "", (_too_large(source),)
    return source, text, ()


def _too_large(source: Source) -> Diagnostic:
    from pipeline_dsl.diagnostics import Span
    from pipeline_dsl.syntax.codes import Code

    return Diagnostic(
        code=Code.TOO_LARGE.value,
        message="the normal form of this text is larger than 1 MiB",
        span=Span(source, 0, 1),
        help="split it, or put data in a data file",
    )


def _write(source: Source, text: str) -> None:
    from pipeline_dsl.cli.replacing import replace_text

    if source.name == STANDARD_INPUT:
        click.echo(text, nl=False)
    elif text != source.text:
        replace_text(os.path.realpath(source.name), source.text, text)
        click.echo(f"{source.name}: formatted")


def difference(source: Source, text: str) -> Iterable[str]:
    """The lines of a unified diff from a text to another, which ``patch -p1`` and ``git apply`` take."""
    old, new = (_LINE.findall(whole) for whole in (source.text, text))
    for line in unified_diff(old, new, f"a/{source.name}", f"b/{source.name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
