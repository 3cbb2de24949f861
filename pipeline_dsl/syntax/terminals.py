"""The regular expressions of the notation's terminals, and the names of its tokens."""

from __future__ import annotations

import re

KEY = r"[^\x00-,:-@\[-^`{-\x7f\s]+"
"""A bare key: ASCII letters and digits, ``_ . - /``, and non-ASCII characters (which ``names`` checks)."""

QUOTED_KEY = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'

INDENT = re.compile(r"[ \t]*")
BLANK = re.compile(r"[ \t]*\r?(?:\n|\Z)")
IDLE = re.compile(r"[ \t]*(?:#|\r?\n)")
GAP = re.compile(r"[ \t]*")
LINE_END = re.compile(r"[ \t]*\r?(?:\n|\Z)")
FLOW_GAP = re.compile(r"(?:[ \t\n]|\r\n)*")

ENTRY = re.compile(rf"({KEY}|{QUOTED_KEY})[ \t]*([:=|])")
"""What begins ``key: value``, ``key = value`` or ``name |columns|``: group 1 the key, group 2 the mark."""

NAME = re.compile(rf"({KEY}|{QUOTED_KEY})")
KEY_ALONE = re.compile(KEY)
DASH = re.compile(r"-(?=[ \t\r\n]|\Z)")
SECTION = re.compile(rf"\[\[?({KEY})\]\]?[ \t]*(?=#|\r?\n|\Z)")
BRACE_BLOCK = re.compile(rf"({KEY}|{QUOTED_KEY})[ \t]*([{{\[])")
KEY_LINE = re.compile(rf"[ \t]*(?:{KEY}|{QUOTED_KEY})[ \t]*(?::(?=[ \t\r\n]|\Z)|=[ \t]|\|)")
"""A line that begins like an entry, for telling where a forgotten bracket or quote should have ended."""

NEW_LINE = re.compile(rf"{KEY_LINE.pattern}|[ \t]*-[ \t]")
"""The same, or one that begins like a list item."""

STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
TEXT = re.compile(r'"""[ \t]*\r?\n((?:[^"\\]++|\\.|"(?!""))*+)"""', re.DOTALL)
TABLE = re.compile(r"table[ \t]*\{")
COMMENT = re.compile(r"(?<![^ \t\n\ufeff])#[^\n]*")
YAML_MARK = re.compile(r"[|>][0-9+-]{0,2}(?=[ \t]*(?:[ \t]#[^\n]*)?\r?(?:\n|\Z))")

FLOW_REST = r"[ \t]++(?![#\r\n]|\Z)|\$\{[^{}\n]*\}|\$|(?<![ \t\r\n])#"
FLOW_TEXT = re.compile(rf'(?:[^ \t\r\n,\[\]{{}}"$#]++|{FLOW_REST})++')
TUPLE_TEXT = re.compile(rf'(?:[^ \t\r\n,\[\]{{}}()"$#]++|{FLOW_REST})++')
REFERENCE = re.compile(r"\$\{[^{}\n]*\}")
SUSPECT = re.compile(r'[,\[\]{}"\x00-\x1f\x7f]|[^\x00-\x7f]')
INNER_ENTRY = re.compile(r":(?=[ \t]|\Z)|(?<=[ \t])=(?=[ \t]|\Z)")

INTEGER = re.compile(r"-?[0-9]+(?:_[0-9]+)*")
FLOAT = re.compile(r"-?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]+)?")
LOOKALIKE = re.compile(r"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]*)?")

OPENING = {"[": "]", "{": "}", "(": ")"}
BRACKET_TYPES = {"[": "LSQB", "]": "RSQB", "{": "LBRACE", "}": "RBRACE", "(": "LPAR", ")": "RPAR"}
