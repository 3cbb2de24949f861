"""``medrecipe serve``: answer over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.cli.extras import require
from pipeline_dsl.cli.options import device_option, no_plugins_option, plugin_option, runs_option
from pipeline_dsl.cli.prepare import choices_of
from pipeline_dsl.cli.used_run import open_used_run

Command = Callable[..., Any]
_TOKEN = "MEDRECIPE_TOKEN"  # noqa: S105 - the name of the variable
_STOPPED_AT_ONCE = 130
_EXTRA = {"fastapi", "uvicorn", "pydantic", "starlette"}
_HELP = """Answer questions over HTTP with what a run trained.

Adapters that share a base are served together and chosen by model name: a phase's or an adapter's name, the
recipe's name (the run's result), or "base". Questions go through the template in which the adapter was
trained. Many requests are answered at once, each as if it were alone.

\b
  GET  /                      a page to ask and compare
  POST /v1/chat/completions   as OpenAI has it, with streaming
  GET  /v1/models             who answers, and how each wants to be asked
  POST /api/v1/chat           {"message", "history"}, as the MediMind backend has it
  GET  /health                200, or 503 where requests are not answered

Only this machine can reach it unless --host says otherwise; then a token is needed (--token-file, or the
variable MEDRECIPE_TOKEN). SIGTERM and Ctrl-C let running requests finish for --grace seconds; a second one
ends at once. It needs pip install 'medrecipe[serve]'.

RUN is an id or as much of its beginning as is unique, or the folder of a run.

\b
Examples:
  medrecipe serve 20260412-101530-3fa2
  medrecipe serve 20260412-10 --port 0 --adapter cardiology --adapter oncology
  medrecipe serve 20260412-10 --host 0.0.0.0 --token-file token.txt --slots 32
"""


def _limits(command: Command) -> Command:
    """Add the options that bound what requests may ask for."""
    whole, at_least_0 = click.IntRange(min=1), click.IntRange(min=0)
    shown: dict[str, Any] = {"show_default": True}
    for option in (
        click.option(
            "--confidence-threshold", type=click.FloatRange(0, 1), default=0.3, metavar="P", **shown,
            help="From which confidence on /api/v1/chat calls an answer safe.",
        ),
        click.option(
            "--grace", type=click.FloatRange(min=0), default=10.0, metavar="SECONDS", **shown,
            help="How long running requests may take at the end.",
        ),
        click.option(
            "--max-body", type=whole, default=256 * 1024, metavar="BYTES", **shown, help="Beyond: 413."
        ),
        click.option(
            "--max-new-tokens", type=whole, default=256, metavar="N", **shown,
            help="Of answers whose request does not say.",
        ),
        click.option(
            "--queue", type=at_least_0, default=256, metavar="N", **shown,
            help="Requests that may wait for each base; beyond: 429.",
        ),
        click.option(
            "--slots", type=whole, default=16, metavar="N", **shown, help="Texts that a base writes at once."
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _who_may_ask(command: Command) -> Command:
    """Add the options that say who can reach the server."""
    for option in (
        click.option(
            "--allow-host", "more_names", multiple=True, metavar="NAME",
            help="A further name by which it may be called, as behind a proxy. Repeatable.",
        ),
        click.option(
            "--without-token", is_flag=True, help="Let everybody ask who can reach a --host of the network."
        ),
        click.option(
            "--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
            help=f"Requests have to bring the token in it (also: the variable {_TOKEN}).",
        ),
        click.option(
            "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one."
        ),
        click.option(
            "--host", default="127.0.0.1", show_default=True, metavar="NAME", help="Where to listen."
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(
    "serve", help=_HELP, short_help="Answer over HTTP: OpenAI's shape, several adapters on one base."
)
@click.argument("run", metavar="RUN")
@click.option(
    "--adapter", "adapters", multiple=True, metavar="NAME",
    help="Serve what this phase left, or the phase that trained this adapter, or base, alone. Repeatable; "
    "those on other weights get a base of their own. [default: all on the base of the last]",
)  # fmt: skip
@_who_may_ask
@_limits
@click.option("--log-requests", is_flag=True, help="Say a line a request; never its text.")
@device_option
@plugin_option
@no_plugins_option
@runs_option
def command(
    *,
    run: str,
    runs: Path,
    token_file: Path | None,
    without_token: bool,
    more_names: tuple[str, ...],
    **options: Any,
) -> int:
    """Open the run and serve it until a signal ends it."""
    refuse_without_extra()
    from pipeline_dsl.serving import address, server
    from pipeline_dsl.serving.settings import Settings

    choices = choices_of(options)
    host, token = options["host"], _token(token_file)
    if token is None and not without_token and not address.is_loopback(host):
        raise click.UsageError(
            f"everybody who can reach {host} could ask: give a --token-file or the variable {_TOKEN}, "
            "or say --without-token"
        )
    names = address.own_names(host, more_names)
    settings = Settings(say=_say, token=token, allowed_hosts=names, **options)
    opened = open_used_run(runs, run, choices, _say)
    return 0 if server.serve(opened, settings) else _STOPPED_AT_ONCE


def refuse_without_extra() -> None:
    """Raise MachineError (MR605) where what answers over HTTP is not installed."""
    require("serve", ("fastapi", "uvicorn"), within=_EXTRA, why="serving needs", code="MR605")


def _token(file: Path | None) -> str | None:
    """Return the token of a file or of the environment; None without one."""
    given = os.environ.get(_TOKEN) if file is None else _read(file)
    if given is None or (file is None and not given):
        return None
    token = given.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        where = _TOKEN if file is None else str(file)
        raise click.UsageError(f"{where} holds no token: one line of ASCII letters, digits and signs")
    return token


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"the token cannot be read: {error}") from error


def _say(line: str) -> None:
    click.echo(line, err=True)
