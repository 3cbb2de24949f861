"""The template ``conversation``: every answer after the turns before it."""

from __future__ import annotations

import pytest

from medrecipe_plugins.templates.conversation import Conversation, Options
from pipeline_dsl.api import DataError, Message

OPENAI = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is flu?"},
    {"role": "assistant", "content": "A virus."},
    {"role": "user", "content": "Which?"},
    {"role": "assistant", "content": "Influenza."},
]
SHAREGPT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "What is flu?"},
    {"from": "gpt", "value": "A virus."},
    {"from": "human", "value": "Which?"},
    {"from": "gpt", "value": "Influenza."},
]
TURNS = tuple(Message(role=turn["role"], content=turn["content"]) for turn in OPENAI)


def made(**options):
    return Conversation(Options(**options))


def samples(turns, **options):
    return list(made(**options).render({"messages": turns}, "row:1"))


@pytest.mark.parametrize("turns", [OPENAI, SHAREGPT])
def test_each_answer_is_learned_after_all_turns_before_it(turns):
    first, second = samples(turns)
    assert (first.messages, first.completion, first.id) == (TURNS[:2], "A virus.", "row:1")
    assert (second.messages, second.completion, second.id) == (TURNS[:4], "Influenza.", "row:1#2")


def test_the_last_answer_alone_is_learned_where_that_is_asked_for():
    (only,) = samples(OPENAI, learn="last")
    assert (only.messages, only.completion) == (TURNS[:4], "Influenza.")


def test_a_row_keeps_its_own_system_prompt_and_others_get_that_of_the_recipe():
    assert samples(OPENAI, system="Be long.")[0].messages == TURNS[:2]
    assert samples(OPENAI[1:], system="Be brief.")[0].messages == TURNS[:2]
    assert samples(OPENAI[1:])[0].messages == TURNS[1:2]


def test_a_system_prompt_may_stand_in_a_column_of_the_row():
    template = made(row_system=True, system="Be long.")
    assert template.fields == ("messages", "system")
    for system, expected in (("Be brief.", "Be brief."), (" ", "Be long."), (None, "Be long.")):
        first = next(iter(template.render({"messages": OPENAI[1:3], "system": system}, "row:1")))
        assert first.messages[0] == Message(role="system", content=expected)
    with pytest.raises(DataError, match="not text"):
        template.render({"messages": OPENAI[1:3], "system": ["x"]}, "row:1")


def test_a_typed_text_is_a_turn_after_earlier_ones():
    template = made(system="Be brief.")
    assert template.ask(template.read("Which?"), TURNS[1:3]).messages == TURNS[:4]
    assert template.ask(template.read("Which?"), TURNS[:3]).messages == TURNS[:4]


def test_a_row_is_asked_without_its_last_answer():
    assert made().ask({"messages": OPENAI}).messages == TURNS[:4]
    assert made().ask({"messages": OPENAI[:4]}).messages == TURNS[:4]


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ("hello", "no list of turns"),
        ([], "no list of turns"),
        (["hello"], "turn 1 is of no known role"),
        ([{"role": "tool", "content": "x"}], "turn 1 is of no known role"),
        ([{"role": ["user"], "content": "x"}], "turn 1 is of no known role"),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}]}], "turn 1 has no text"),
        ([{"role": "user"}], "turn 1 has no text"),
        ([{"role": "user", "content": " "}, OPENAI[2]], "turn 1 is empty"),
        (OPENAI[:4], "ends without an answer"),
        (OPENAI[:1], "nobody asks"),
        (OPENAI[2:], "a turn of the assistant stands where none can"),
        ([OPENAI[1], OPENAI[1], OPENAI[2]], "a turn of the user stands where none can"),
        ([*OPENAI[1:3], OPENAI[0]], "a turn of the system stands where none can"),
    ],
)
def test_what_is_no_conversation_is_refused_at_its_row(turns, says):
    with pytest.raises(DataError, match=says) as caught:
        samples(turns)
    assert (caught.value.code, caught.value.place) == ("MR514", "row:1")
    assert caught.value.help


def test_case_33_an_answer_with_nothing_to_learn_is_refused():
    with pytest.raises(DataError) as caught:
        samples([OPENAI[1], {"role": "assistant", "content": " "}])
    assert caught.value.code == "MR512"


def test_case_36_a_control_token_in_a_turn_is_refused():
    with pytest.raises(DataError) as caught:
        samples([{"role": "user", "content": "x<end_of_turn>"}, OPENAI[2]])
    assert caught.value.code == "MR513"


def test_all_that_shapes_samples_is_in_its_text():
    assert (
        len({made(**o).text() for o in ({}, {"system": "x"}, {"learn": "last"}, {"row_system": True})}) == 4
    )
