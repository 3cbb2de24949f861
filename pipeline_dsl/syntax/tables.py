"""The LALR tables of ``recipe.lark``, computed ahead: building them is a tenth of ``medrecipe check``'s time.

``tables.json`` is a cache inside the package. It counts only for the grammar text and the version of Lark
that it was made from; with any other, the tables are built from the grammar as usual. After a change of
``recipe.lark``: ``python -m pipeline_dsl.syntax.tables``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark

PATH = Path(__file__).with_name("tables.json")
Json = dict[str, Any]
_SHIFT = 0
"""How Lark's tables mark an action that goes on to a state; 1 is a reduction by a rule."""


def load(text: str, lexer: type | None = None, path: Path | None = None) -> lark.Lark | None:
    """The parser of a grammar text from stored tables; None where they are of another grammar or Lark.

    Args:
        text: the grammar.
        lexer: in place of Lark's own, where the parser was built with one.
        path: of the tables; those of the notation where nothing is said.
    """
    try:
        stored: Json = json.loads((path or PATH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.get("made_from") != _origin(text):
        return None
    data = stored["data"]
    if lexer is not None:
        data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    parser = data["parser"]["parser"]
    parser["tokens"] = _numbered(parser["tokens"])
    parser["states"] = {int(state): _numbered(actions) for state, actions in parser["states"].items()}
    return lark.Lark._load_from_dict(data, _numbered(stored["memo"]))  # noqa: SLF001 - what Lark's own generator calls


def dump(parser: lark.Lark, text: str) -> str:
    """The stored form of a parser that was built from a grammar text: of one grammar always the same."""
    data, memo = parser.memo_serialize([lark.lexer.TerminalDef, lark.grammar.Rule])
    if not isinstance(data["options"]["lexer"], str):
        data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None
    data["parser"]["parser"] = _in_order(data["parser"]["parser"])
    return json.dumps({"made_from": _origin(text), "data": data, "memo": memo}, separators=(",", ":")) + "\n"


def _in_order(parser: Json) -> Json:
    """The same tables with tokens in the order of their names and states in that in which they are reached.

    Lark numbers both by the order of sets, which is another one in every process.
    """
    names: dict[int, str] = parser["tokens"]
    tokens = {name: number for number, name in enumerate(sorted(names.values()))}
    actions = {
        state: dict(sorted((tokens[names[token]], action) for token, action in row.items()))
        for state, row in parser["states"].items()
    }
    starts = dict(sorted(parser["start_states"].items()))
    reached = list(dict.fromkeys(starts.values()))
    for state in reached:
        shifts = (target for kind, target in actions[state].values() if kind == _SHIFT)
        reached += [target for target in dict.fromkeys(shifts) if target not in reached]
    number = {state: place for place, state in enumerate(reached)}
    states = {
        number[state]: {
            token: (kind, number[target] if kind == _SHIFT else target)
            for token, (kind, target) in actions[state].items()
        }
        for state in reached
    }
    return {
        **parser,
        "tokens": {place: name for name, place in tokens.items()},
        "states": states,
        "start_states": {start: number[state] for start, state in starts.items()},
        "end_states": {start: number[parser["end_states"][start]] for start in starts},
    }


def _origin(text: str) -> Json:
    return {"lark": lark.__version__, "grammar": text}


def _numbered(table: Json) -> dict[int, Any]:
    """JSON made the numbers of a table texts."""
    return {int(number): value for number, value in table.items()}


if __name__ == "__main__":
    from pipeline_dsl.syntax.grammar import TEXT, build

    PATH.write_text(dump(build(), TEXT.read_text(encoding="utf-8")), encoding="utf-8")
