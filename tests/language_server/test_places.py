from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position

from pipeline_dsl.language_server.positions import Positions

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
TEXT = st.text(st.sampled_from("a가😀é\n\r\u2028 \t"), max_size=40)


@pytest.mark.parametrize(
    ("encoding", "column"), [("utf-8", 3 + 1 + 4 + 1), ("utf-16", 1 + 1 + 2 + 1), ("utf-32", 4)]
)
def test_a_column_is_counted_in_units_of_the_encoding(encoding, column):
    places = Positions.of("x: 1\n가 😀 b", encoding)
    assert places.position(5 + 4) == Position(1, column)
    assert places.offset(Position(1, column)) == 9


@given(TEXT, st.sampled_from(ENCODINGS))
def test_every_offset_comes_back(text, encoding):
    places = Positions.of(text, encoding)
    for offset in range(len(text) + 1):
        inside_line_end = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
        after_cr_or_lf = offset < len(text)
        back = places.offset(places.position(offset))
        assert back == (offset - 1 if inside_line_end and after_cr_or_lf else offset)


@given(TEXT, st.sampled_from(ENCODINGS), st.integers(0, 50), st.integers(0, 50))
def test_every_position_is_somewhere(text, encoding, line, character):
    assert 0 <= Positions.of(text, encoding).offset(Position(line, character)) <= len(text)


def test_a_position_inside_a_character_is_before_it():
    assert Positions.of("😀", "utf-16").offset(Position(0, 1)) == 0
