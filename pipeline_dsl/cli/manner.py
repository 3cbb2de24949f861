"""Options of the commands that have texts written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipeline_dsl.cli.options import device_option, no_plugins_option, plugin_option, runs_option
from pipeline_dsl.run.writing import Manner

Command = Callable[..., Any]

adapter_option = click.option(
    "--adapter",
    metavar="NAME",
    help="Use what this phase left, or the phase that trained this adapter; base: none. [default: the last]",
)
template_option = click.option(
    "--template",
    metavar="NAME",
    help="The prompt template of the phase to ask through. [default: the one of most weight that fits]",
)
compare_option = click.option(
    "--compare", metavar="NAME", help="Have this write beside it: base, a phase or an adapter."
)


def manner_options(command: Command) -> Command:
    """Add the options that say how texts are written, and with what."""
    for option in (
        runs_option,
        no_plugins_option,
        plugin_option,
        device_option,
        click.option(
            "--stop", "stops", multiple=True, metavar="TEXT", help="End at this text too. Repeatable."
        ),
        click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the sampling."),
        click.option(
            "--top-p",
            type=click.FloatRange(0, 1, min_open=True),
            default=1.0,
            show_default=True,
            metavar="P",
            help="Sample from the likeliest tokens that hold this share of the probability.",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(min=0),
            default=0.0,
            show_default=True,
            metavar="T",
            help="0 takes the likeliest token each time; above, tokens are sampled.",
        ),
        click.option(
            "--max-new-tokens",
            type=click.IntRange(min=1),
            default=256,
            show_default=True,
            metavar="N",
            help="Write at most so many tokens.",
        ),
    ):
        command = option(command)
    return command


def manner_from(options: dict[str, Any]) -> Manner:
    """Take the manner out of a command's options."""
    names = ("max_new_tokens", "temperature", "top_p", "seed")
    return Manner(**{name: options.pop(name) for name in names}, stops=tuple(options.pop("stops")))
