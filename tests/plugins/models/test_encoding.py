from __future__ import annotations

import pytest

from medrecipe_plugins.models import _encoding
from pipeline_dsl.api import DataError, Message, ModelError, Sample

CHAT = Sample(
    prompt="",
    messages=(Message(role="system", content="짧게 답하라."), Message(role="user", content="열이 나요")),
    completion="물을 드세요.",
)
TEXT = Sample(prompt="word question: fever\nshort_answer:", completion=" 발열")
PLAIN = Sample(prompt="", completion="환자는 회복하였다.")


@pytest.mark.parametrize("sample", [CHAT, TEXT, PLAIN], ids=["chat", "text", "plain"])
def test_a_sample_has_exactly_one_beginning_mark_and_ends_in_an_end_mark(tiny_model, sample) -> None:
    ids, prompt = tiny_model.encode(sample)
    assert ids.count(tiny_model.marks.bos) == 1
    assert ids[0] == tiny_model.marks.bos
    assert ids[-1] in tiny_model.ends
    assert tiny_model.tokenizer.decode(ids[prompt:-1]) == sample.completion


def test_a_chat_ends_its_turn_and_a_text_ends_the_sequence(tiny_model) -> None:
    marks = tiny_model.marks
    assert (
        tiny_model.encode(CHAT)[0][-1]
        == marks.turn_end
        == tiny_model.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    )
    assert tiny_model.encode(TEXT)[0][-1] == marks.eos


def test_the_beginning_mark_is_the_whole_prompt_of_plain_text(tiny_model) -> None:
    assert tiny_model.encode(PLAIN)[1] == 1


def test_a_beginning_mark_in_the_prompt_is_not_doubled(tiny_model) -> None:
    ids, _ = tiny_model.encode(Sample(prompt="<bos><bos>fever:", completion=" 발열"))
    assert ids.count(tiny_model.marks.bos) == 1


def test_the_prompt_is_encoded_as_it_is_when_generating(tiny_model) -> None:
    for sample in (CHAT, TEXT):
        ids, prompt = tiny_model.encode(sample)
        assert ids[:prompt] == _encoding.prompt_ids(tiny_model.tokenizer, tiny_model.marks, sample)


def test_a_system_turn_stands_in_the_first_user_turn(tiny_model) -> None:
    ids, prompt = tiny_model.encode(CHAT)
    text = tiny_model.tokenizer.decode(ids[:prompt])
    assert text == "<bos><start_of_turn>user\n짧게 답하라.\n\n열이 나요<end_of_turn>\n<start_of_turn>model\n"


def test_hangul_comes_back_as_it_went_in(tiny_model) -> None:
    text = "쀍뷁 심근경색증은 관상동맥이 막혀 생긴다. ①②"
    ids = tiny_model.tokenizer(text, add_special_tokens=False).input_ids
    assert tiny_model.tokenizer.decode(ids) == text


def test_chat_turns_need_a_chat_template(tiny_model) -> None:
    tiny_model.tokenizer.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        tiny_model.encode(CHAT)


def test_a_tokenizer_without_padding_gets_a_spare_token(tiny_model) -> None:
    tiny_model.tokenizer.pad_token = None
    marks = _encoding.marks_of(tiny_model.tokenizer, "tiny")
    assert marks.pad == tiny_model.tokenizer.convert_tokens_to_ids("<pad>")
    assert marks.pad != marks.eos


def test_a_tokenizer_without_an_end_mark_is_refused(tiny_model) -> None:
    tiny_model.tokenizer.eos_token = None
    with pytest.raises(ModelError, match="no end-of-sequence token"):
        _encoding.marks_of(tiny_model.tokenizer, "tiny")


def test_an_id_without_an_embedding_row_is_refused(tiny_model) -> None:
    tiny_model.rows = 10
    with pytest.raises(DataError, match="10 embedding rows") as caught:
        tiny_model.encode(TEXT)
    assert caught.value.code == "MR531"
