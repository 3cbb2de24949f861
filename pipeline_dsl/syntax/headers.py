"""The headers of tables: ``|a, b|`` and ``table{f64, f64}``."""

from __future__ import annotations

from pipeline_dsl.syntax import terminals as t
from pipeline_dsl.syntax.mistakes import bad_header, typed_table
from pipeline_dsl.syntax.scanner import Scanner


def scan_columns(scanner: Scanner, start: int) -> None:
    """Take the columns of a named table, from bar to bar."""
    scanner.put("BAR", "|", start, start + 1)
    _scan_names(scanner, "|", start)
    scanner.put("BAR", "|", scanner.position, scanner.position + 1)


def scan_types(scanner: Scanner, start: int) -> None:
    """Take ``table{…}``, the types of a typed table."""
    sign = scanner.out[-1]
    if sign.value == "=":
        place = sign.start_pos or 0
        raise typed_table(place, "a typed table is declared with `:`, and `=` gives its rows")
    scanner.put("TABLE", "table", start, start + len("table"))
    brace = scanner.skip()
    scanner.put("LBRACE", "{", brace, brace + 1)
    if not scanner.text.startswith("}", scanner.skip()):
        _scan_names(scanner, "}", start)
    scanner.put("RBRACE", "}", scanner.position, scanner.position + 1)


def scan_rows_sign(scanner: Scanner) -> None:
    """Take the ``=`` before the rows of a typed table that stand on its own line."""
    start = scanner.position
    if not scanner.text.startswith("=", start):
        raise typed_table(start, "no `=` before the rows of a typed table")
    scanner.put("SEP", "=", start, start + 1)
    if not scanner.text.startswith("[", scanner.skip()):
        raise typed_table(
            scanner.position, "the rows of a typed table stand in `[ ]`, or on lines of their own"
        )


def _scan_names(scanner: Scanner, close: str, start: int) -> None:
    """Take names separated by commas, up to ``close``."""
    while True:
        place = scanner.skip()
        name = t.NAME.match(scanner.text, place)
        if not name:
            raise bad_header(scanner.rest(place), place, close, start)
        scanner.scan_key(name[0], place)
        place = scanner.skip()
        char = scanner.text[place : place + 1]
        if char == close:
            return
        if char != ",":
            raise bad_header(scanner.rest(place), place, close, start)
        scanner.put("_COMMA", ",", place, place + 1)
