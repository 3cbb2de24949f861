"""``medrecipe schema``: write the JSON Schemas that editors and other programs use."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline_dsl.api.errors import MachineError
from pipeline_dsl.cli.exported import exported
from pipeline_dsl.cli.figures import counted
from pipeline_dsl.cli.options import plugin_option
from pipeline_dsl.registry import build_catalog

_HELP = """Print the JSON Schema of recipes, or write all schemas.

What is printed is for a recipe as "medrecipe sdn to-json" gives it, with the names and options of the plugins
that are installed here. With --write, one file for recipes, plans, a run's metadata, a line of its metrics,
an adapter's manifest and that of an export, and one for the options of every provider
(providers/KIND.NAME.json). All are of the dialect 2020-12.

\b
Examples:
  medrecipe schema > recipe.schema.json
  medrecipe schema --write schemas/
  medrecipe schema --write /tmp/schemas --plugin ./my_metric.py
"""


@click.command("schema", help=_HELP, short_help="Print the JSON Schema of recipes, or write all schemas.")
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write all schemas into this folder; it is made where it is not there.",
)
@plugin_option
def command(folder: Path | None, plugins: tuple[str, ...]) -> None:
    """Print the schema of recipes, or write all schemas."""
    schemas = exported(build_catalog(local=plugins))
    if folder is None:
        click.echo(schema_text(schemas["recipe.json"]), nl=False)
        return
    try:
        for name, schema in schemas.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(schema_text(schema), encoding="utf-8")
    except OSError as error:
        raise MachineError(f"cannot write {error.filename}: {error.strerror}") from error
    click.echo(f"{counted(len(schemas), 'schema')} written to {folder}", err=True)


def schema_text(schema: object) -> str:
    """Return a schema as its file holds it: keys sorted, a line end at the end."""
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
