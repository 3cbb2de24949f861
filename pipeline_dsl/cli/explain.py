"""``medrecipe explain``: what a code means, with a wrong and a right example."""

from __future__ import annotations

import sys

import click

from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.options import json_option
from pipeline_dsl.cli.page import read_page, read_pages
from pipeline_dsl.cli.terminal import Paint

_HELP = """Explain a code such as MR402, with a wrong and a right example.

Without a code, lists all codes: MR1xx notation, MR2xx names, MR3xx options, MR4xx phases, stacks and
models, MR5xx data, MR6xx the machine.

\b
Examples:
  medrecipe explain MR123
  medrecipe explain
"""


@click.command(
    "explain", help=_HELP, short_help="Explain a code such as MR402, with a wrong and a right example."
)
@click.argument("code", required=False, metavar="[CODE]")
@json_option
def command(*, code: str | None, as_json: bool) -> None:
    """Print one page, or the list of all."""
    if code is None:
        _list(as_json=as_json)
        return
    page = read_page(code.upper())
    if page is None:
        raise click.UsageError(_unknown(code))
    if as_json:
        print_document({"code": page.code, "title": page.title, "text": page.text})
    else:
        paint = Paint.of(sys.stdout)
        lines = page.text.rstrip().splitlines()
        click.echo("\n".join(paint.bold(line) if line.startswith("#") else line for line in lines))


def _list(*, as_json: bool) -> None:
    pages = read_pages()
    if as_json:
        print_document({"codes": [{"code": page.code, "title": page.title} for page in pages]})
    else:
        click.echo("\n".join(f"{page.code}  {page.title}" for page in pages))


def _unknown(code: str) -> str:
    from difflib import get_close_matches

    codes = [page.code for page in read_pages()]
    near = [known for known in codes if known.startswith(code.upper())][:8]
    near = near or get_close_matches(code.upper(), codes, n=1, cutoff=0.6)
    known = f" Did you mean {', '.join(near)}?" if near else ' "medrecipe explain" lists all.'
    return f"There is no code {code!r}.{known}"
