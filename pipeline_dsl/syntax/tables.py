"""The LALR tables of ``recipe.lark``, computed ahead: building them is a tenth of the time of ``medrecipe check``.

``tables.json`` is a cache inside the package. It counts only for the grammar text and the version of Lark that it
was made from; with any other, the tables are built from the grammar as usual. After a change of ``recipe.lark``:
``python -m pipeline_dsl.syntax.tables``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark

PATH = Path(__file__).with_name("tables.json")
Json = dict[str, Any]


def load(text: str, lexer: type) -> lark.Lark | None:
    """The parser of a grammar text from the stored tables, or None where they are of another grammar or Lark."""
    try:
        stored: Json = json.loads(PATH.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if stored["made_from"] != _origin(text):
        return None
    data = stored["data"]
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    parser = data["parser"]["parser"]
    parser["tokens"] = _numbered(parser["tokens"])
    parser["states"] = {int(state): _numbered(actions) for state, actions in parser["states"].items()}
    return lark.Lark._load_from_dict(data, _numbered(stored["memo"]))  # noqa: SLF001 - what Lark's own generator calls


def dump(parser: lark.Lark, text: str) -> str:
    """The stored form of a parser that was built from a grammar text."""
    data, memo = parser.memo_serialize([lark.lexer.TerminalDef, lark.grammar.Rule])
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None
    return json.dumps({"made_from": _origin(text), "data": data, "memo": memo}, separators=(",", ":")) + "\n"


def _origin(text: str) -> Json:
    return {"lark": lark.__version__, "grammar": text}


def _numbered(table: Json) -> dict[int, Any]:
    """JSON made the numbers of a table texts."""
    return {int(number): value for number, value in table.items()}


if __name__ == "__main__":
    from pipeline_dsl.syntax.grammar import TEXT, build

    PATH.write_text(dump(build(), TEXT.read_text(encoding="utf-8")), encoding="utf-8")
