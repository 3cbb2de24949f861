"""Many samples encoded at once: for each exactly what it is encoded to alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.api import DataError, Message, ModelError, Sample

PIECES = [
    "", " ", "\n", "a", "fever", "열이 나요", "심근경색증", "가", "e\u0301", "👩‍⚕️", "①②", "\t", "�", "A",
    "<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<bos><bos>", "answer:\n", "쀍뷁", "\u200b",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=6).map("".join)
turns = st.lists(st.builds(Message, role=st.just("user"), content=texts), min_size=1, max_size=1).map(tuple)
samples = st.builds(Sample, prompt=texts, completion=texts, messages=st.just(()) | turns)


def one_by_one(model, given_samples):
    return [model.encode(sample) for sample in given_samples]


def at_once(model, given_samples):
    return [(list(ids), prompt) for ids, prompt in model.encode_all(given_samples)]


def test_encoding_many_gives_what_encoding_each_gives(tiny_model) -> None:
    @given(st.lists(samples, max_size=5))
    @settings(max_examples=150, deadline=None)
    def check(given_samples) -> None:
        assert at_once(tiny_model, given_samples) == one_by_one(tiny_model, given_samples)

    check()


def test_many_samples_with_few_answers_are_encoded_as_alone(tiny_model) -> None:
    given_samples = [Sample(prompt=f"질문 {n}: fever?\n", completion="ABCDE"[n % 5]) for n in range(300)]
    assert at_once(tiny_model, given_samples) == one_by_one(tiny_model, given_samples)


def test_a_tokenizer_that_was_left_cutting_and_padding_does_neither(tiny_model) -> None:
    given_samples = [Sample(prompt="a", completion="b " * n) for n in range(1, 9)]
    expected = one_by_one(tiny_model, given_samples)
    tiny_model.tokenizer(["a", "a b c d e"], padding=True, truncation=True, max_length=2)
    assert at_once(tiny_model, given_samples) == expected


def test_a_tokenizer_told_to_take_special_tokens_apart_does_so(tiny_model) -> None:
    given_samples = [Sample(prompt="<eos>", completion="<end_of_turn> a")]
    tiny_model.tokenizer.split_special_tokens = True
    assert at_once(tiny_model, given_samples) == one_by_one(tiny_model, given_samples)


def test_a_tokenizer_with_ways_of_its_own_is_asked_text_by_text(tiny_model) -> None:
    kind = type(tiny_model.tokenizer)

    class Loud(kind):
        def __call__(self, text, **more):
            return super().__call__(text.upper(), **more)

    tiny_model.tokenizer.__class__ = Loud
    given_samples = [Sample(prompt="fever", completion="heart")]
    found = at_once(tiny_model, given_samples)
    assert found == one_by_one(tiny_model, given_samples)
    tiny_model.tokenizer.__class__ = kind
    assert found != one_by_one(tiny_model, given_samples)


FINE = Sample(prompt="a", completion="b", id="fine")
TURNS = Sample(prompt="", messages=(Message(role="user", content="a"),), completion="b", id="turns")


def test_what_is_refused_first_is_told_first(tiny_model) -> None:
    tiny_model.tokenizer.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        tiny_model.encode_all([FINE, TURNS])
    tiny_model.rows = 1
    with pytest.raises(DataError) as caught:
        tiny_model.encode_all([FINE, TURNS])
    assert (caught.value.code, caught.value.place) == ("MR531", "fine")


def test_an_id_without_an_embedding_row_is_refused_among_many(tiny_model) -> None:
    ids, _ = tiny_model.encode(FINE)
    rare = Sample(prompt="a", completion="심장", id="rare")
    assert max(tiny_model.encode(rare)[0]) > max(ids)
    tiny_model.rows = max(ids) + 1
    with pytest.raises(DataError) as caught:
        tiny_model.encode_all([FINE, rare, FINE])
    assert (caught.value.code, caught.value.place) == ("MR531", "rare")
