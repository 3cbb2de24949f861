"""The form that rows have, as a template and the columns that it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Said
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.sources import Origin
from pipeline_dsl.syntax.nodes import Value

_TURNS = ("messages", "conversations", "conversation")
_FIELD = re.compile(r"[^\W\d]\w*")
CHAT_HELP = (
    "the template `conversation` takes lists of turns of a user and an assistant, perhaps after one of the "
    "system; bring the rows into that form"
)
_EACH = (
    "conversations: one with several answers is several samples here, an answer each, and one sample there; "
    "a step has fewer conversations here: raise `grad_accum`"
)
_ONE_EXCHANGE = 3
"""Turns of a system, a user and an assistant."""
ROLE_KEYS, TEXT_KEYS = ("role", "from"), ("content", "value")
"""Names under which a turn has its role and its text."""


def mapped(origin: Origin, template: Value, columns: Mapping[str, str], remark: str = "") -> Origin:
    """An origin whose rows go through a template; ``columns`` gives the template's names the data's."""
    renamed: Value = {name: column for name, column in columns.items() if name != column}
    found = replace(origin, template=template, remark=remark or origin.remark)
    return found.with_words(columns=Said(value=renamed)) if renamed else found


def request(
    origin: Origin, use: str, columns: Mapping[str, str], options: Mapping[str, Value], remark: str = ""
) -> Origin:
    """Rows of instruction, perhaps input, and response through ``alpaca`` or ``instruction``.

    Whether there is an ``input`` is seen in the first row where the rows lie here, else taken to be so.
    """
    first = origin.seen.first
    has_input = "input" in columns and (columns["input"] in first if first else True)
    kept = {name: column for name, column in columns.items() if name != "input" or has_input}
    said = dict(options)
    if has_input != (use == "alpaca"):
        said["input"] = has_input
    template: Value = {"use": use, **said} if said else use
    return mapped(origin, template, kept, remark)


def turns_column(origin: Origin) -> str | None:
    """The column that is seen to hold lists of turns."""
    return next((c for c in _TURNS if isinstance(origin.seen.first.get(c), list)), None)


def conversation(
    reader: Reader, key: str, origin: Origin, columns: Mapping[str, str], options: Mapping[str, Value]
) -> Origin | None:
    """Rows of turns through ``conversation``; None, and a finding, where there are seen to be none.

    Args:
        reader: the block that names them.
        key: the key that does.
        origin: the source.
        columns: of ``messages``, and of ``system`` where rows have one.
        options: of the template.
    """
    column = columns["messages"]
    first = origin.seen.first
    turns = first.get(column)
    if first and not isinstance(turns, list):
        message = f"the rows have no list of turns in a column `{column[:40]}`"
        reader.refuse(Code.DATA_FORM, message, key, CHAT_HELP)
        return None
    if not isinstance(turns, list) or len(turns) > _ONE_EXCHANGE:
        reader.ledger.look_at(_EACH)
    template: Value = {"use": "conversation", **options} if options else "conversation"
    return mapped(origin, template, columns)


def refuse_turns(reader: Reader, key: str, origin: Origin) -> bool:
    """Refuse rows that are seen to be lists of turns; return whether they are."""
    column = turns_column(origin)
    if column is None:
        return False
    reader.refuse(Code.DATA_FORM, f"the rows are conversations (`{column}`)", key, CHAT_HELP)
    return True


def custom(prompt: str, completion: str, fields: Mapping[str, str]) -> tuple[dict[str, Said], dict[str, str]]:
    """A template of the recipe's own out of two format strings, and the columns that it needs mapped.

    Args:
        prompt: with ``{name}`` where a field stands.
        completion: the same.
        fields: the data's column of each name.
    """
    used = [name for name in fields if f"{{{name}}}" in prompt + completion]
    columns = {name: fields[name] for name in used if fields[name] != name}
    return {"prompt": Said(value=prompt), "completion": Said(value=completion)}, columns


def is_field(name: str) -> bool:
    """Whether a name can stand in braces in a template."""
    return _FIELD.fullmatch(name) is not None


def literal(text: str) -> str:
    """A text with its braces written as a template has them."""
    return text.replace("{", "{{").replace("}", "}}")
