"""Options that several commands share, and the only place where ``MEDRECIPE_RUNS`` is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]
DEFAULT_RUNS = Path("runs")

runs_option = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_RUNS,
    envvar="MEDRECIPE_RUNS",
    show_default=True,
    metavar="DIR",
    help="The folder of all runs (also: the variable MEDRECIPE_RUNS).",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs instead of text for people."
)
profile_option = click.option(
    "--profile", metavar="NAME", help="Lay this one of the recipe's profiles over it."
)
set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace one value, as in --set phases.mcq.train.max_steps=10; applied last. Repeatable.",
)
device_option = click.option("--device", metavar="NAME", help="auto, cpu or cuda:N, not the recipe's device.")
samples_option = click.option(
    "--max-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use at most N rows of every data source, in training and in tasks.",
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Load this Python file as a plugin too. Repeatable.",
)
no_plugins_option = click.option("--no-plugins", is_flag=True, help="Load no installed plugin.")


def recipe_options(command: Command) -> Command:
    """Add the options of every command that reads a recipe and makes a plan of it."""
    for option in (
        no_plugins_option,
        plugin_option,
        samples_option,
        device_option,
        set_option,
        profile_option,
    ):
        command = option(command)
    return command
