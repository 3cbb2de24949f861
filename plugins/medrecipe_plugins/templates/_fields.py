"""How templates read the fields of a row: all that can be wrong with one is told here, without its text."""

from __future__ import annotations

import re

from pipeline_dsl.api import DataError, Row

_MARKS = re.compile(
    r"<\|[^<>|\s]{1,40}\|>"
    r"|</?(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|image_soft_token)>"
    r"|<(?:unused\d+|begin_of_text|end_of_text)>"
    r"|\[/?INST\]|<</?SYS>>"
)
"""Texts that tokenizers turn into control tokens. In data they would train the model on its own controls."""


def text_of(row: Row, field: str, id: str) -> str:
    """Return a field's text, stripped of surrounding white space.

    Raises:
        DataError: MR514 the field is missing, empty or no text; MR513 it holds a control token.
    """
    value = row.get(field)
    if value is None:
        there = ", ".join(sorted(map(str, row))) or "none"
        help_ = f"columns of the row: {there}; name the right one in the source's `columns`"
        raise DataError(f"field {field!r} is missing", code="MR514", place=id, help=help_)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise DataError(f"field {field!r} is not text", code="MR514", place=id)
    text = str(value)
    if not text.strip():
        raise DataError(f"field {field!r} is empty", code="MR514", place=id)
    return checked(text, field, id).strip()


def completion_of(row: Row, field: str, id: str) -> str:
    """Return the text of a field that is to be learned; an empty one is MR512."""
    value = row.get(field)
    if isinstance(value, str) and not value.strip():
        message = f"field {field!r}, the text to be learned, is empty"
        raise DataError(message, code="MR512", place=id, help="leave the row out")
    return text_of(row, field, id)


def question_of(row: Row, field: str) -> str:
    """Return a field of what is asked, white space at its ends included, or raise DataError."""
    text_of(row, field, "")
    return str(row[field])


def checked(text: str, field: str, id: str) -> str:
    """Return the text, or raise DataError (MR513) where it holds a control token."""
    found = _MARKS.search(text)
    if found:
        message = f"field {field!r} holds the control token {found.group()!r}"
        help_ = "remove it: in training it would end or begin a turn"
        raise DataError(message, code="MR513", place=id, help=help_)
    return text
