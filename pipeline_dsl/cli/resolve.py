"""``medrecipe resolve``: a recipe with everything applied, or where one of its values came from."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import click

from pipeline_dsl.cli.documents import json_text, print_document
from pipeline_dsl.cli.exits import exit_code
from pipeline_dsl.cli.options import json_option, profile_option, set_option
from pipeline_dsl.cli.prepare import tell
from pipeline_dsl.recipe.load import Loaded, load_recipe, resolved, why
from pipeline_dsl.recipe.origins import LayerKind, Setting, Why

_OF_A_PHASE = re.compile(r"phases\.[^.]+\.(train\..+)")
_WIDEST = 100
"""Letters of a value that are shown on its line."""

_HELP = """Show a recipe with all overlays applied, or where a value came from.

Without --why, prints the recipe as JSON after extends, profile, --set, like and ${...}. With --why, prints
every place that set the value, the winner last. Values of environment variables show as ***.

\b
Examples:
  medrecipe resolve recipes/medgemma_korean.sdn --profile tiny
  medrecipe resolve recipes/medgemma_korean.sdn --why phases.mcq.train.epochs
"""


@click.command(
    "resolve", help=_HELP, short_help="Show a recipe with all overlays applied, or where a value came from."
)
@click.argument("recipe", metavar="RECIPE")
@click.option("--why", "key", metavar="KEY", help="The dotted path of a value, such as model.name.")
@json_option
@profile_option
@set_option
def command(
    *, recipe: str, key: str | None, profile: str | None, sets: tuple[str, ...], as_json: bool
) -> int:
    """Read a recipe and print it or one value's history."""
    loaded = load_recipe(recipe, profile=profile, sets=sets, environment=os.environ)
    tell(loaded.diagnostics)
    if loaded.origins.tree is None:
        return exit_code(loaded.diagnostics)
    if key is not None:
        _explain(_reason(loaded, key), as_json=as_json)
    elif as_json:
        print_document({"recipe": resolved(loaded)})
    else:
        click.echo(json_text(resolved(loaded)))
    return exit_code(loaded.diagnostics)


def _reason(loaded: Loaded, key: str) -> Why:
    """Why a value is what it is; one of a phase's training that the phase does not set is the recipe's."""
    reason = why(loaded, key)
    inherited = _OF_A_PHASE.fullmatch(key)
    general = why(loaded, inherited[1]) if inherited and not reason.found else None
    return general if general is not None and general.found else reason


def _explain(reason: Why, *, as_json: bool) -> None:
    if not reason.found:
        near = f" Did you mean {reason.nearest!r}?" if reason.nearest else ""
        msg = f"The recipe has no value {reason.path!r}.{near}"
        raise click.UsageError(msg)
    if as_json:
        print_document(
            {
                "path": reason.path,
                "value": reason.value,
                "history": [_setting_json(s) for s in reason.history],
            }
        )
        return
    click.echo(f"{reason.path} = {_short(reason.value)}")
    for setting in reason.history:
        click.echo(f"  {_place(setting)}: {_short(setting.value)}{_layer(setting)}")
    if not reason.history:
        click.echo("  nothing in the recipe sets it")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _place(setting: Setting) -> str:
    if setting.kind is LayerKind.SET:
        return "--set"
    return f"{setting.span.source.name}:{setting.span.line}:{setting.span.column}"


def _layer(setting: Setting) -> str:
    match setting.kind:
        case LayerKind.LIKE:
            return f" (like {setting.name})"
        case LayerKind.PROFILE:
            return f" (profile {setting.name})"
        case _:
            return ""


def _setting_json(setting: Setting) -> dict[str, Any]:
    return {
        "layer": setting.kind.value,
        "name": setting.name,
        "path": setting.path,
        "value": setting.value,
        "file": setting.span.source.name,
        "line": setting.span.line,
        "column": setting.span.column,
    }
