"""The official Python client of OpenAI talks to the server."""

from __future__ import annotations

import openai
import pytest


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_it_lists_the_models(client, taught):
    models = list(client.models.list())
    assert [model.id for model in models] == ["siblings", *taught.siblings, "base"]
    assert client.models.retrieve("pneumology").owned_by == "medrecipe"


def test_it_gets_a_whole_answer(client):
    answer = client.chat.completions.create(model="pneumology", messages=said("heart"), max_tokens=12)
    assert answer.choices[0].message.content == "폐"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0
    assert answer.model_extra["medrecipe"]["template"] == "dictionary"


def test_it_gets_a_stream_with_its_usage(client):
    stream = client.chat.completions.create(
        model="cardiology", messages=said("lung"), stream=True, stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "폐"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.prompt_tokens > 0


def test_its_helper_for_streams_gives_the_whole_answer(client):
    with client.chat.completions.stream(model="cardiology", messages=said("heart")) as stream:
        assert stream.get_final_completion().choices[0].message.content == "심장"


def test_it_takes_an_answer_back_as_an_earlier_turn(client):
    first = client.chat.completions.create(model="talk", messages=said("열이 나요"), max_tokens=20)
    turns = [*said("열이 나요"), first.choices[0].message, *said("머리가 아파요")]
    second = client.chat.completions.create(model="talk", messages=turns, max_tokens=20)
    assert second.usage.prompt_tokens > first.usage.total_tokens


def test_a_template_is_chosen_by_an_extra_key(client, taught):
    answer = client.chat.completions.create(
        model="liver", messages=said(taught.exam), max_tokens=12, extra_body={"template": "mcq"}
    )
    assert answer.choices[0].message.content == "answer:\nA"


@pytest.mark.parametrize(
    ("options", "kind", "param"),
    [
        ({"model": "nobody"}, openai.NotFoundError, "model"),
        ({"temperature": 5}, openai.BadRequestError, "temperature"),
        ({"n": 3}, openai.BadRequestError, "n"),
        ({"extra_body": {"unheard_of": 1}}, openai.BadRequestError, "unheard_of"),
        ({"extra_body": {"template": "poem"}}, openai.BadRequestError, "template"),
        ({"messages": []}, openai.BadRequestError, "messages"),
    ],
)
def test_errors_are_the_exceptions_that_it_knows(client, options, kind, param):
    words = {"model": "cardiology", "messages": said("heart"), **options}
    for stream in (False, True):
        with pytest.raises(kind) as error:
            client.chat.completions.create(**words, stream=stream)
        assert error.value.param == param


def test_the_token_is_its_key(serve):
    with serve(token="s3cret") as server:
        url = f"{server.url}/v1"
        with openai.OpenAI(base_url=url, api_key="s3cret", max_retries=0) as client:
            assert client.chat.completions.create(model="lung", messages=said("heart")).choices[0]
        with openai.OpenAI(base_url=url, api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as error:
                client.models.list()
            assert error.value.code == "invalid_api_key"
