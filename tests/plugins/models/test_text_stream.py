"""Text out of tokens as they come."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrecipe_plugins.models._text_stream import TextStream


def of_bytes(ids: Sequence[int]) -> str:
    """A tokenizer of one byte a token: half of a letter is shown as tokenizers show it."""
    return bytes(ids).decode("utf-8", errors="replace")


def streamed(text: str, stops: Sequence[str] = ()) -> tuple[list[str], bool]:
    stream, pieces = TextStream(of_bytes, stops), []
    for token in text.encode():
        pieces.append(stream.push(token))
        if stream.stopped:
            return pieces, True
    return [*pieces, stream.finish()], stream.stopped


@given(st.text(max_size=40))
def test_the_pieces_together_are_the_text(text):
    pieces, stopped = streamed(text)
    assert "".join(pieces) == text
    assert not stopped


@given(
    st.text(alphabet="ab\n심", max_size=40),
    st.lists(st.text(alphabet="ab\n심", min_size=1, max_size=4), max_size=3),
)
def test_it_ends_right_before_the_first_stop(text, stops):
    pieces, stopped = streamed(text, stops)
    places = [text.find(stop) for stop in stops if stop in text]
    assert stopped is bool(places)
    shown = "".join(pieces)
    if places:
        assert not any(stop in shown for stop in stops)
        assert text.startswith(shown)
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
    else:
        assert shown == text


def test_half_of_a_letter_is_held_back():
    stream = TextStream(of_bytes)
    assert [stream.push(byte) for byte in "심".encode()] == ["", "", "심"]


def test_what_may_become_a_stop_is_held_back_and_given_once_it_does_not():
    stream = TextStream(of_bytes, ["\nHuman:"])
    assert [stream.push(byte) for byte in b"a\nHumm"] == ["a", "", "", "", "", "\nHumm"]


def test_letters_that_never_became_whole_come_at_the_end():
    stream = TextStream(of_bytes)
    stream.push("심".encode()[0])
    assert stream.finish() == "\ufffd"


@pytest.mark.parametrize("text", ["심근경색 (MI): 응급 🚑", "  leading", "a  b\n\n c"])
def test_real_tokenizers_give_their_whole_text_back(tiny_model, text):
    tokenizer = tiny_model.tokenizer

    def decode(ids):
        return tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    ids = tokenizer(text, add_special_tokens=False).input_ids
    stream = TextStream(decode)
    assert "".join([*(stream.push(i) for i in ids), stream.finish()]) == decode(ids) == text
