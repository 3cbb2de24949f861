"""``medrecipe chat``: talk to a trained run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.cli.conversation import Conversation
from pipeline_dsl.cli.manner import (
    adapter_option,
    compare_option,
    manner_from,
    manner_options,
    template_option,
)
from pipeline_dsl.cli.prepare import choices_of
from pipeline_dsl.cli.render import fault_text
from pipeline_dsl.cli.terminal import Paint, room
from pipeline_dsl.cli.used_run import open_used_run
from pipeline_dsl.run.writing import Writers

_HELP = """Talk to a trained run.

What you type goes through the prompt template in which the run was trained. Answers come token by token;
Ctrl-C stops an answer, Ctrl-D or /quit ends the chat. /adapter NAME goes on with another phase or specialty,
without loading the base again where they share one. /help lists the commands.

RUN is an id or as much of its beginning as is unique, or the folder of a run or of an exported stack.

\b
Examples:
  medrecipe chat 20260412-10
  medrecipe chat 20260412-10 --adapter cardiology --compare base
  medrecipe chat ./exported --temperature 0.7 --seed 1
"""
_COMMANDS = """\
/adapter NAME    go on with what this phase left, or the phase that trained this adapter; base: no adapter
/adapters        list them
/compare NAME    have this write beside it; /compare off
/template NAME   ask through another template of the phase; /template lists them
/forget          forget the turns so far
/quit            leave (or Ctrl-D)"""

_LEAVING = ("/quit", "/exit", "/q")


@click.command("chat", help=_HELP, short_help="Talk to a trained run.")
@click.argument("run", metavar="RUN")
@adapter_option
@compare_option
@template_option
@manner_options
def command(
    *, run: str, adapter: str | None, compare: str | None, template: str | None, runs: Path, **options: Any
) -> None:
    """Open the run and talk until the input ends."""
    manner = manner_from(options)
    opened = open_used_run(runs, run, choices_of(options), _say)
    with Writers(opened, _say) as writers:
        talk = Conversation(opened, writers, manner, opened.find(adapter), template)
        if compare is not None:
            talk.compare(compare)
        talk.load()
        _say(f"{opened.plan.recipe}, run {opened.folder.id}; /help lists the commands")
        _tell_state(talk)
        for text in _inputs(talk):
            if text in _LEAVING:
                break
            _guarded(talk, text)


def _guarded(talk: Conversation, text: str) -> None:
    """Do what was typed; what is wrong with it is said, and the chat goes on."""
    try:
        if text.startswith("/"):
            _command(talk, text)
        else:
            talk.ask(text)
    except MedrecipeError as error:
        click.echo(fault_text(error, Paint.of(sys.stderr), room(sys.stderr)), err=True)


def _command(talk: Conversation, text: str) -> None:
    name, _, argument = text[1:].strip().partition(" ")
    argument = argument.strip()
    match name, argument:
        case "adapters", _:
            _say("\n".join(talk.choices()))
        case "adapter", _ if argument:
            talk.use(argument)
            _tell_state(talk)
        case "compare", "off":
            talk.compare(None)
        case "compare", _ if argument:
            talk.compare(argument)
            _tell_state(talk)
        case "template", "":
            _say(", ".join(question.name for question in talk.questions))
        case "template", _:
            talk.choose(argument)
            _tell_state(talk)
        case "forget", _:
            talk.forget()
        case _:
            _say(_COMMANDS)


def _inputs(talk: Conversation) -> Iterator[str]:
    """Yield what is typed until the input ends; Ctrl-C at the prompt drops the line."""
    terminal = sys.stdin.isatty()
    if terminal:
        with suppress(ImportError):  # Windows has none, and edits lines by itself
            import readline  # noqa: F401 - lines can be edited and called back once it is imported
    with suppress(EOFError):
        while True:
            try:
                text = _read(talk, terminal=terminal).strip()
            except KeyboardInterrupt:
                _say("\n(Ctrl-D or /quit leaves)")
                continue
            if text:
                yield text


def _read(talk: Conversation, *, terminal: bool) -> str:
    """Read a question: a line, or lines up to an empty one where the template asks for several columns."""
    lines = [_line(f"{talk.stack.name}> " if terminal else "")]
    if not talk.many_lines or lines[0].startswith("/"):
        return lines[0]
    with suppress(EOFError):
        while lines[-1].strip():
            lines.append(_line("... " if terminal else ""))
    return "\n".join(lines)


def _line(prompt: str) -> str:
    return input(prompt)


def _tell_state(talk: Conversation) -> None:
    for line in talk.state():
        _say(line)


def _say(line: str) -> None:
    click.echo(line, err=True)
