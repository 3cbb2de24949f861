"""The TextMate grammar of recipes, made from the tables of the scanner and the words of the language.

``pipeline_dsl/editors/vscode/syntaxes/sdn.tmLanguage.json`` holds it, and a test keeps that fresh. Its
expressions mean the same to Oniguruma and to Python.
"""

from __future__ import annotations

import json
from typing import Any

from pipeline_dsl.recipe.bind import TOP_KEYS
from pipeline_dsl.recipe.uses import USE
from pipeline_dsl.syntax.terminals import FLOAT, INTEGER, KEY, QUOTED_KEY
from pipeline_dsl.syntax.words import KEYWORDS

Json = dict[str, Any]

SCOPE = "source.sdn"
_END = r"(?=[ \t]*(?:$|,|[\]}]|[ \t]#))"
"""Where a bare word ends that is nothing but a number or a keyword."""
_BEFORE = r"(?:(?<=[:=,\[{|])[ \t]*|(?<=-)[ \t]+|^[ \t]*)"


def grammar() -> Json:
    """Return the grammar."""
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "SDN",
        "scopeName": SCOPE,
        "fileTypes": ["sdn"],
        "patterns": [
            {"include": f"#{name}"} for name in ("comment", "table", "top", "entry", "item", "value")
        ],
        "repository": _repository(),
    }


def grammar_text() -> str:
    """Return the grammar as the file has it."""
    return json.dumps(grammar(), indent=2, ensure_ascii=False) + "\n"


def _repository() -> dict[str, Json]:
    key = rf"({KEY}|{QUOTED_KEY})"
    top = "|".join(sorted(TOP_KEYS, key=len, reverse=True))
    numbers = rf"{FLOAT.pattern}|{INTEGER.pattern}"
    values = ("text", "string", "reference", "number", "keyword", "use")
    name, bar = "entity.name.tag.sdn", "punctuation.section.table.sdn"
    dash = "punctuation.definition.list.begin.sdn"
    separator = "punctuation.separator.sdn"
    return {
        "comment": _match(r"(?<!\S)#.*$", "comment.line.number-sign.sdn"),
        "item": _match(r"^[ \t]*(-)(?=[ \t]|$)", **{"1": dash}),
        "top": _match(rf"^({top})[ \t]*([:=])(?!//)", **{"1": "keyword.other.sdn", "2": separator}),
        "table": {
            "begin": rf"^[ \t]*(?:(-)[ \t]+)?{key}[ \t]*(\|)",
            "beginCaptures": _captures({"1": dash, "2": name, "3": bar}),
            "end": r"(\|)|$",
            "endCaptures": _captures({"1": bar}),
            "patterns": [_match(KEY, "variable.parameter.column.sdn"), _match(",", separator)],
        },
        "entry": _match(
            rf"(?:^[ \t]*(?:(-)[ \t]+)?|(?<=[{{,])[ \t]*){key}[ \t]*([:=])(?!//)",
            **{"1": dash, "2": name, "3": separator},
        ),
        "value": {"patterns": [{"include": f"#{one}"} for one in values]},
        "text": _string('"""', "string.quoted.triple.sdn"),
        "string": _string('"', "string.quoted.double.sdn"),
        "escape": _match(r'\\[ntr"\\]', "constant.character.escape.sdn"),
        "reference": _match(r"\$\$\{|(\$\{)([^{}\n]*)(\})", **{
            "1": "punctuation.definition.interpolation.begin.sdn",
            "2": "variable.other.sdn",
            "3": "punctuation.definition.interpolation.end.sdn",
        }),
        "number": _match(rf"{_BEFORE}({numbers}){_END}", **{"1": "constant.numeric.sdn"}),
        "keyword": _match(rf"{_BEFORE}({'|'.join(KEYWORDS)}){_END}", **{"1": "constant.language.sdn"}),
        "use": _match(rf"(?<=\b{USE}:)[ \t]*([^\s,\[\]{{}}#]+)", **{"1": "support.class.sdn"}),
    }  # fmt: skip


def _match(pattern: str, scope: str | None = None, **captures: str) -> Json:
    found: Json = {"match": pattern}
    if scope:
        found["name"] = scope
    if captures:
        found["captures"] = _captures(captures)
    return found


def _captures(names: dict[str, str]) -> Json:
    return {number: {"name": name} for number, name in names.items()}


def _string(quote: str, scope: str) -> Json:
    inner = [{"include": "#escape"}, {"include": "#reference"}]
    return {"begin": quote, "end": quote, "name": scope, "patterns": inner}
