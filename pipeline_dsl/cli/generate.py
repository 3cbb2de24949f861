"""``medrecipe generate``: have a trained run write."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline_dsl.api.generation import Piece
from pipeline_dsl.cli.answers import open_answers, printable
from pipeline_dsl.cli.documents import SCHEMA_VERSION
from pipeline_dsl.cli.manner import (
    adapter_option,
    compare_option,
    manner_from,
    manner_options,
    template_option,
)
from pipeline_dsl.cli.prepare import choices_of
from pipeline_dsl.cli.prompts import Asked, from_file, typed
from pipeline_dsl.cli.used_run import open_used_run
from pipeline_dsl.run.asking import questions_of
from pipeline_dsl.run.finished import FinishedRun, FinishedStack
from pipeline_dsl.run.writing import Answer, Manner, Wish, Writers, manner_of, write_all

_TOGETHER = 16
"""Texts that are written at once."""
_HELP = """Have a trained run write.

What is asked goes through the prompt template in which the run was trained, and ends at its end marks. A
--file has one JSON object a line (or is .json, .csv or .parquet): a `prompt`, or the columns of a template.
Answers come on stdout in the order of the prompts, token by token where there is one; everything else on
stderr.

RUN is an id or as much of its beginning as is unique, or the folder of a run or of an exported stack.

\b
Examples:
  medrecipe generate 20260412-10 --prompt "myocardial infarction"
  medrecipe generate 20260412-10 --prompt "myocardial infarction" --compare base
  medrecipe generate 20260412-10 --adapter cardiology --file ask.jsonl --json > answers.jsonl
  echo "심근경색의 증상은?" | medrecipe generate ./exported --prompt -
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is to be written by whom."""

    run: FinishedRun
    stacks: tuple[FinishedStack, ...]
    asked: tuple[Asked, ...]
    manner: Manner

    def wishes(self) -> list[Wish]:
        """Each prompt for each stack, prompt by prompt."""
        return [
            Wish(stack=stack, sample=asked.sample, manner=manner_of(self.manner, asked.question.stops))
            for asked in self.asked
            for stack in self.stacks
        ]


@click.command("generate", help=_HELP, short_help="Have a trained run write.")
@click.argument("run", metavar="RUN")
@click.option("--prompt", metavar="TEXT", help="What to ask; - reads it from standard input.")
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Ask each row of this file.",
)
@adapter_option
@compare_option
@template_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, a prompt each.")
@manner_options
def command(
    *,
    run: str,
    prompt: str | None,
    path: Path | None,
    adapter: str | None,
    compare: str | None,
    template: str | None,
    as_json: bool,
    runs: Path,
    **options: Any,
) -> None:
    """Open the run, ask and write."""
    if (prompt is None) == (path is None):
        msg = "Give either a --prompt or a --file."
        raise click.UsageError(msg)
    manner = manner_from(options)
    opened = open_used_run(runs, run, choices_of(options), _say)
    stack = opened.find(adapter)
    stacks = (stack,) if compare is None else (_beside(opened, compare, stack), stack)
    questions = questions_of(opened.plan, opened.catalog, stack.phase)
    asked = (
        [typed(prompt, questions, template)]
        if prompt is not None
        else from_file(path or Path(), opened.catalog, questions, template)
    )
    job = _Job(run=opened, stacks=stacks, asked=tuple(asked), manner=manner)
    with Writers(opened, _say) as writers:
        writers.load(stacks)
        if as_json:
            _print_json(job, writers)
        elif len(job.asked) == 1:
            _print_live(job, writers)
        else:
            _print_all(job, writers)


def _beside(run: FinishedRun, name: str, stack: FinishedStack) -> FinishedStack:
    found = run.find(name)
    if found.name == stack.name:
        msg = f"{name!r} is {stack.name} itself: name another one to compare with, such as base."
        raise click.UsageError(msg)
    return found


def _print_live(job: _Job, writers: Writers) -> None:
    """One prompt: its answers token by token."""
    names = [stack.name for stack in job.stacks]
    answers = open_answers(names)

    def told(number: int, piece: Piece) -> None:
        answers.piece(names[number], piece)

    try:
        finished = dict(write_all(writers, job.wishes(), _TOGETHER, told))
    finally:
        answers.close()
    _tell_cut_off(job, list(finished.values()))


def _print_all(job: _Job, writers: Writers) -> None:
    """Many prompts: each with its answers, once they are whole."""
    seen: list[Answer] = []
    for asked, answers in _in_order(job, writers):
        seen += answers
        for stack, answer in zip(job.stacks, answers, strict=True):
            name = f" [{stack.name}]" if len(job.stacks) > 1 else ""
            click.echo(f"== {asked.id}{name}\n{printable(answer.text).strip()}\n")
    _tell_cut_off(job, seen)


def _print_json(job: _Job, writers: Writers) -> None:
    for asked, answers in _in_order(job, writers):
        document = {
            "schema_version": SCHEMA_VERSION,
            "id": asked.id,
            "run": job.run.folder.id,
            "template": asked.question.name,
            "answers": [_document(s, a) for s, a in zip(job.stacks, answers, strict=True)],
        }
        click.echo(json.dumps(document, ensure_ascii=False))


def _document(stack: FinishedStack, answer: Answer) -> dict[str, Any]:
    return {
        "adapter": stack.name,
        "text": answer.text,
        "finish": answer.piece.finish,
        "tokens": answer.piece.tokens,
        "confidence": round(answer.piece.confidence, 6),
    }


def _in_order(job: _Job, writers: Writers) -> Iterator[tuple[Asked, list[Answer]]]:
    """Yield prompts in their order, each once all of its answers are whole."""
    whole: dict[int, Answer] = {}
    each, next_one = len(job.stacks), 0
    for number, answer in write_all(writers, job.wishes(), _TOGETHER):
        whole[number] = answer
        while all(next_one * each + i in whole for i in range(each)) and next_one < len(job.asked):
            yield job.asked[next_one], [whole.pop(next_one * each + i) for i in range(each)]
            next_one += 1
            _tell_progress(next_one, len(job.asked))


def _tell_progress(done: int, total: int) -> None:
    if total > 1 and sys.stderr.isatty() and not sys.stdout.isatty():
        click.echo(f"\r{done}/{total} answered", nl=done == total, err=True)


def _tell_cut_off(job: _Job, answers: Sequence[Answer]) -> None:
    cut = sum(answer.piece.finish == "length" for answer in answers)
    if cut:
        which = "it was" if len(answers) == 1 else f"{cut} of {len(answers)} were"
        _say(f"{which} cut off after {job.manner.max_new_tokens} tokens; --max-new-tokens N allows more")


def _say(line: str) -> None:
    click.echo(line, err=True)
