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
    "no template takes lists of turns: write each exchange as a row with `instruction` and `response` "
    "(jq -c '{instruction: .messages[0].content, response: .messages[1].content}') and use `instruction`"
)


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


def refuse_turns(reader: Reader, key: str, origin: Origin) -> bool:
    """Refuse rows that are seen to be lists of turns; return whether they are."""
    column = next((c for c in _TURNS if isinstance(origin.seen.first.get(c), list)), None)
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
