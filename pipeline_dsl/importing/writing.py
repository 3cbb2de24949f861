"""From a draft and the accounts of its configs to a recipe's text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline_dsl.importing.draft import Block, Draft, Line, PhaseDraft, Said
from pipeline_dsl.importing.ledger import Account
from pipeline_dsl.syntax.nodes import Value
from pipeline_dsl.syntax.render import render_key, render_value

INDENT = "    "
WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a recipe comes from."""

    file: str
    account: Account


def write(draft: Draft, head: Sequence[str], lookouts: Sequence[str], origins: Sequence[Provenance]) -> str:
    """Write a recipe that reads as the draft, with a comment for every key that is not in it."""
    lines = [*_comments(head), *_lookouts(lookouts), *_block(draft.top, 0), ""]
    lines += ["model:", *_block(draft.model, 1), ""]
    lines += [*_blocks("adapters", draft.adapters), *_blocks("data", draft.data)]
    lines += _blocks("templates", draft.templates)
    if draft.tasks:
        lines += [*_table("tasks", ("task", "data", "template", "metric", "limit"), draft.tasks, 0), ""]
    if draft.train:
        lines += ["train:", *_block(draft.train, 1), ""]
    lines.append("phases:")
    for phase in draft.phases:
        lines += _phase(phase)
    for origin in origins:
        lines += _left(origin)
    return "".join(f"{line}\n" for line in lines)


def _comments(sentences: Sequence[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from _folded(sentence, "# ", "# ")


def _lookouts(lookouts: Sequence[str]) -> Iterator[str]:
    if lookouts:
        yield "#"
        yield "# Look at:"
        for sentence in lookouts:
            yield from _folded(sentence, "#   - ", "#     ")


def _blocks(name: str, blocks: Mapping[str, Block]) -> Iterator[str]:
    if not blocks:
        return
    yield f"{name}:"
    for key, block in blocks.items():
        yield f"{INDENT}{render_key(key)}:"
        yield from _block(block, 2)
    yield ""


def _block(block: Block, depth: int) -> Iterator[str]:
    for key, said in block.items():
        yield _entry(key, said, depth)


def _entry(key: str, said: Said, depth: int) -> str:
    remark = f"    # {said.remark}" if said.remark else ""
    return f"{INDENT * depth}{render_key(key)}: {_written(said.value)}{remark}"


def _written(value: Value) -> str:
    return render_value(_literal(value))


def _literal(value: Value) -> Value:
    """The same with ``${`` written as the text that it is in a config."""
    match value:
        case str():
            return value.replace("${", "$${")
        case list():
            return [_literal(item) for item in value]
        case dict():
            return {key: _literal(item) for key, item in value.items()}
    return value


def _table(name: str, columns: Sequence[str], rows: Sequence[Line], depth: int) -> Iterator[str]:
    """A table without the columns that are null in every row."""
    used = [n for n in range(len(columns)) if any(row.cells[n] is not None for row in rows)]
    yield f"{INDENT * depth}{name} |{', '.join(columns[n] for n in used)}|"
    for row in rows:
        cells = ", ".join(_written(row.cells[n]) for n in used)
        yield f"{INDENT * (depth + 1)}{cells}{f'    # {row.remark}' if row.remark else ''}"


def _phase(phase: PhaseDraft) -> Iterator[str]:
    yield f"{INDENT}{render_key(phase.name)}:"
    if phase.task:
        yield f"{INDENT * 2}task: {_written(phase.task)}"
    yield from _table("stack", ("adapter", "role"), [Line(cells=row) for row in phase.stack], 2)
    yield from _table("mix", ("data", "template", "weight", "limit"), phase.mix, 2)
    if phase.train:
        yield f"{INDENT * 2}train:"
        yield from _block(phase.train, 3)
    if phase.retain:
        yield from _table("retain", ("task", "keep", "otherwise"), phase.retain, 2)
    if phase.hooks:
        yield from _table("hooks", ("on", "every", "do"), phase.hooks, 2)


def _left(origin: Provenance) -> Iterator[str]:
    account = origin.account
    if account.left:
        yield ""
        yield f"# Not carried from {origin.file}, {len(account.left)} of {account.total} keys:"
        for left in account.left:
            yield f"#   {left.path}: {left.value}"
            yield from _folded(left.why, "#       ", "#       ")
    if account.empty:
        yield ""
        yield from _folded(f"Without a value in {origin.file}: {', '.join(account.empty)}", "# ", "#   ")


def _folded(text: str, first: str, rest: str) -> list[str]:
    """A comment in lines of a readable width; no word is cut."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
