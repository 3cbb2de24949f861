"""Rows that are asked and taught: which count as the same, and which as contained."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_dsl.plan.leaks import SHINGLE, Leak, contained_rows, same_rows, text_of, where_shingles_stand

STORY = "A 58-year-old man came to the emergency room with squeezing chest pain and cold sweat. "
OTHER = "Which vaccine is given at birth in most countries where tuberculosis is common? "


def _texts(*rows, columns=("question", "answer"), name="exam"):
    return [text_of(f"{name}:{i + 1}", row, columns) for i, row in enumerate(rows)]


def _contained(asked, taught):
    return contained_rows(asked, taught, where_shingles_stand(taught))


def test_the_same_row_is_found_whatever_its_case_spaces_and_width():
    asked = _texts({"question": "What  is Flu?", "answer": "A VIRUS"}, {"question": "Other", "answer": "x"})
    taught = _texts(
        {"question": "x", "answer": "y"}, {"question": "what is flu?", "answer": "ａ virus"}, name="train"
    )
    assert same_rows(asked, taught) == [Leak(asked="exam:1", taught="train:2")]


def test_the_same_question_with_another_answer_is_another_row():
    asked, taught = _texts({"question": "q", "answer": "a"}), _texts({"question": "q", "answer": "b"})
    assert same_rows(asked, taught) == []


def test_only_columns_that_both_templates_read_are_compared():
    asked = _texts({"question": "q", "answer": "a"})
    taught = _texts({"question": "q", "answer": "a", "facts": "f"}, columns=("question", "answer", "facts"))
    assert len(same_rows(asked, taught)) == 1
    assert same_rows(asked, _texts({"text": "q a"}, columns=("text",))) == []


def test_a_question_on_a_taught_case_is_contained():
    asked = _texts({"question": STORY + "Which vessel is blocked?"}, {"question": OTHER})
    taught = _texts(
        {"question": OTHER[:20] + "…"}, {"question": STORY + "What is given first?"}, name="train"
    )
    assert _contained(asked, taught) == [Leak(asked="exam:1", taught="train:2")]


def test_a_phrase_that_stands_in_many_rows_contains_nothing():
    phrase = "다음 중 옳은 것을 모두 고르시오. 정답은 하나이다. 보기 가운데에서 고르시오. "
    taught = _texts(*({"question": f"{phrase}{i}"} for i in range(40)))
    assert _contained(_texts({"question": f"{phrase}x"}), taught) == []


def test_texts_too_short_to_be_judged_are_not_contained():
    assert _contained(_texts({"question": "heart"}), _texts({"question": "heart failure"})) == []


@pytest.mark.parametrize("sign", ["+", "-", "±"])
def test_signs_tell_rows_apart(sign):
    others = [s for s in "+-±" if s != sign]
    asked, taught = _texts({"question": f"Rh {sign}"}), _texts(*({"question": f"Rh {s}"} for s in others))
    assert same_rows(asked, taught) == []


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8))
def test_every_row_with_text_is_the_same_as_itself(texts):
    rows = _texts(*({"question": text} for text in texts), columns=("question",))
    with_text = [t for t in rows if t.columns["question"]]
    assert [leak.asked for leak in same_rows(rows, rows)] == [t.place for t in with_text]


@given(
    st.lists(
        st.text(max_size=30) | st.sampled_from([STORY, "심근경색증은 관상동맥이 막혀 생긴다. 👩‍⚕️"]),
        max_size=3,
    )
)
def test_shingles_are_hashes_of_thirteen_characters_each(parts):
    text = text_of("x", {str(n): part for n, part in enumerate(parts)}, map(str, range(len(parts))))
    whole = "\n".join(text.columns.values())
    codes = {crc32(whole[start : start + SHINGLE].encode()) for start in range(len(whole) - SHINGLE + 1)}
    assert set(where_shingles_stand([text])) == {code for code in codes if code % 4 == 0}
