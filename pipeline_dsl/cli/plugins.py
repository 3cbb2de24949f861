"""``medrecipe plugins``: what is installed, what it offers, and the options of each thing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from pipeline_dsl.api.errors import MachineError
from pipeline_dsl.api.options import schema_of
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.cli.documents import print_document
from pipeline_dsl.cli.groups import Group
from pipeline_dsl.cli.option_page import option_lines
from pipeline_dsl.cli.options import json_option, plugin_option
from pipeline_dsl.cli.tables import Column, Table, draw
from pipeline_dsl.cli.terminal import Paint, folded, room
from pipeline_dsl.registry import Catalog, Offer, build_catalog

Json = dict[str, Any]
_OURS = "medrecipe"
"""The distribution whose plugins need not be named."""

_HELP = """List what the installed plugins offer, and each thing's options.

\b
Examples:
  medrecipe plugins list
  medrecipe plugins list --kind metric
  medrecipe plugins show lora
"""

_LIST_HELP = """List every provider, and the plugins that could not be loaded.

\b
Examples:
  medrecipe plugins list
  medrecipe plugins list --kind metric --json
  medrecipe plugins list --plugin ./my_metric.py
"""

_SHOW_HELP = """Show what one provider is for, and its options.

NAME is what a recipe writes after "use:", KIND.NAME where two kinds share it, or the name of a plugin,
which shows all that it offers.

\b
Examples:
  medrecipe plugins show lora
  medrecipe plugins show metric.perplexity --json
"""


@click.group(
    "plugins",
    cls=Group,
    help=_HELP,
    short_help="List what the installed plugins offer.",
    no_args_is_help=True,
)
def command() -> None:
    """The commands that look into the catalog."""


@command.command(
    "list", help=_LIST_HELP, short_help="List every provider, and the plugins that could not be loaded."
)
@click.option("--kind", metavar="KIND", help="Only this kind: model, adapter, source, template, metric …")
@json_option
@plugin_option
def list_(*, kind: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """List every provider."""
    catalog = build_catalog(local=plugins)
    offers = [offer for offer in catalog.offers if kind in {None, offer.kind.value}]
    if as_json:
        print_document({"plugins": _plugins_json(catalog), "providers": [_offer_json(o) for o in offers]})
        return
    if offers:
        draw(_table(offers))
    else:
        click.echo("no plugin offers anything" + (f" of the kind {kind}" if kind else ""), err=True)
    for broken in catalog.broken:
        click.echo(
            f"the plugin {broken.name} ({broken.module}) could not be loaded: {broken.reason}", err=True
        )


@command.command("show", help=_SHOW_HELP, short_help="Show what one provider is for, and its options.")
@click.argument("name", metavar="NAME")
@json_option
@plugin_option
def show(*, name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Show one provider."""
    catalog = build_catalog(local=plugins)
    found = [offer for offer in catalog.offers if name in _names(offer)]
    broken = next((plugin for plugin in catalog.broken if plugin.name == name), None)
    if broken is not None:
        msg = f"the plugin `{name}` ({broken.module}) could not be loaded: {broken.reason}"
        raise MachineError(msg, help="repair or uninstall it; all other plugins work", code="MR610")
    if not found:
        raise click.UsageError(_unknown(name, catalog))
    if as_json:
        print_document(
            {"providers": [{**_offer_json(o), "options": schema_of(o.provider.options)} for o in found]}
        )
    else:
        for number, offer in enumerate(found):
            if number:
                click.echo()
            _tell(offer)


def _names(offer: Offer) -> set[str]:
    name = offer.provider.name
    return {name, offer.full_name, f"{offer.kind}.{name}", offer.plugin.name}


def _unknown(name: str, catalog: Catalog) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted({o.provider.name for o in catalog.offers}), n=1)
    known = f" Did you mean {near[0]!r}?" if near else ' "medrecipe plugins list" lists what there is.'
    return f"No plugin offers {name!r}.{known}"


def _table(offers: Sequence[Offer]) -> Table:
    """Offers by kind, in the order in which a recipe is made of them; the plugin where it is not ours."""
    kinds = list(Kind)
    ordered = sorted(offers, key=lambda offer: kinds.index(offer.kind))
    ours = {offer.plugin.distribution for offer in offers} <= {_OURS}
    columns = (
        Column("kind"),
        Column("name"),
        *([] if ours else [Column("plugin")]),
        Column("what it is", folds=True),
    )
    rows = (
        (o.kind.value, o.provider.name, *([] if ours else [o.plugin.name]), o.provider.summary)
        for o in ordered
    )
    return Table(columns, tuple(rows))


def _tell(offer: Offer) -> None:
    provider, schema = offer.provider, schema_of(offer.provider.options)
    width, paint = room(sys.stdout), Paint.of(sys.stdout)
    distribution = f"{offer.plugin.distribution} {offer.plugin.version}".rstrip()
    lines = [
        f"{offer.kind} {paint.bold(provider.name)}: {provider.summary}",
        f"from the plugin {offer.plugin.name} ({distribution})",
        *(["", schema["description"]] if schema["description"] else []),
    ]
    click.echo("\n".join(part for line in lines for part in folded(line, width)))
    if schema["properties"]:
        click.echo("\n" + "\n".join(option_lines(schema, paint, width)))


def _plugins_json(catalog: Catalog) -> list[Json]:
    return [
        {
            "name": p.name,
            "module": p.module,
            "distribution": p.distribution,
            "version": p.version,
            "problem": p.reason,
        }
        for p in catalog.plugins
    ]


def _offer_json(offer: Offer) -> Json:
    provider = offer.provider
    return {
        "kind": offer.kind.value,
        "name": provider.name,
        "plugin": offer.plugin.name,
        "summary": provider.summary,
        "version": provider.version,
    }
