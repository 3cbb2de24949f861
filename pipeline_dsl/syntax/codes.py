"""The codes of everything that can be wrong with a text as notation, each with its one-line title."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """One kind of finding; equal to its code as a string, with its title in ``what``."""

    what: str
    """What is wrong, as the title of the code's page."""

    def __new__(cls, code: str, what: str) -> Self:
        """Make a member out of its code and its title."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.what = what
        return member

    TOO_MANY = "MR100", "more errors than are shown"
    UNREADABLE = "MR101", "the file cannot be read"
    NOT_UTF8 = "MR102", "the file is not UTF-8"
    NUL = "MR103", "a NUL character"
    TOO_LARGE = "MR104", "the text is too large"

    NOT_JSON = "MR105", "a text that is not JSON"
    UNWRITABLE = "MR106", "a value that the notation cannot hold"

    MIXED_INDENT = "MR110", "tabs and spaces are mixed in the indentation"
    BAD_DEDENT = "MR111", "the indentation goes back to no open level"
    UNEXPECTED_INDENT = "MR112", "a line is indented under something that cannot hold a block"
    TOO_DEEP = "MR113", "nested more than 64 deep"

    MISSING_COLON = "MR120", "a key without a colon after it"
    EMPTY_KEY = "MR121", "a colon or equals sign without a key before it"
    BAD_KEY = "MR122", "a key with a character that a bare key cannot have"
    DUPLICATE_KEY = "MR123", "the same key twice in one mapping"
    LONE_VALUE = "MR124", "a lone value among `key: value` lines"
    LONE_ENTRY = "MR125", "`key: value` among the values of a list"
    SECTION = "MR126", "a TOML-style `[section]`"
    BRACE_BLOCK = "MR127", "a bracket right after a key, without a colon"
    STRAY_DASH = "MR128", "`- ` where no list item can stand"
    DOUBLE_SIGN = "MR129", "`==` or `:=` instead of one colon"

    UNCLOSED_QUOTE = "MR130", "a quote that is never closed"
    UNCLOSED_TEXT = "MR131", "a text block that is never closed"
    TEXT_START = "MR132", "text on the same line as the opening of a text block"
    TRAILING = "MR133", "something after a complete value"
    YAML_BLOCK = "MR134", "a YAML block mark (`|` or `>`)"
    INNER_QUOTE = "MR135", "a quote inside bare text"
    SINGLE_QUOTES = "MR136", "single quotes, which are part of the text"

    UNCLOSED_BRACKET = "MR140", "a bracket that is never closed"
    STRAY_BRACKET = "MR141", "a closing bracket that closes nothing"
    MISSING_COMMA = "MR142", "two values without a comma between them"
    MISSING_VALUE = "MR143", "nothing where a value has to stand"
    OUTER_COMMA = "MR144", "a comma in bare text outside a list"
    INNER_BRACKET = "MR145", "a bracket inside bare text"
    INNER_ENTRY = "MR146", "`key: value` where a single value has to stand"

    NOT_A_NUMBER = "MR150", "something that looks like a number but is none"
    BIG_INTEGER = "MR151", "an integer that does not fit 64 bits"
    FLOAT_RANGE = "MR152", "a number that is too large or too small for a 64-bit float"

    SHORT_ROW = "MR160", "a row with fewer cells than columns"
    LONG_ROW = "MR161", "a row with more cells than columns"
    DUPLICATE_COLUMN = "MR162", "the same column twice"
    BAD_HEADER = "MR163", "a table header that cannot be read"
    TYPED_TABLE = "MR164", "a typed table that cannot be read"

    INVISIBLE = "MR170", "an invisible or direction-changing character"
    LOOKALIKE = "MR171", "a name that mixes letters of look-alike scripts"
    CONTROL = "MR172", "a control character in bare text"
    ODD_SPACE = "MR173", "a space character other than the ordinary one"

    NO_SUCH_PATH = "MR180", "a path that leads to nothing"
    NOT_IN_PLACE = "MR181", "a value that cannot be set in its place"

    UNEXPECTED = "MR190", "something that cannot stand here"
