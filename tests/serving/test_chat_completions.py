"""``POST /v1/chat/completions``: who answers, through which template, and how it ends."""

from __future__ import annotations

import json
import re

import pytest


def test_every_sibling_gives_the_answers_that_it_was_taught(server, taught):
    found = {
        phase: {term: server.answer(term, model=phase, max_tokens=12) for term in taught.terms}
        for phase in taught.words
    }
    assert found == taught.words


def test_an_adapter_a_phase_and_the_recipe_are_names_of_a_stack(server):
    assert server.answer("heart", model="lung") == server.answer("heart", model="pneumology") == "폐"
    drawn = {"temperature": 1.0, "seed": 4, "max_tokens": 10}
    assert server.answer("안녕", model="siblings", **drawn) == server.answer("안녕", model="talk", **drawn)


def test_models_are_listed_once_with_what_each_wants_to_be_asked(server, taught, run):
    models = {model["id"]: model["medrecipe"] for model in server.get("/v1/models").json()["data"]}
    assert list(models) == ["siblings", *taught.siblings, "base"]
    assert models["siblings"] == models["conversation"]
    assert models["hepatology"] == {
        "run": run.folder.id, "phase": "hepatology", "adapters": ["liver"], "rejected": False,
        "fingerprint": models["hepatology"]["fingerprint"], "template": "dictionary", "takes_turns": False,
        "templates": [
            {"name": "dictionary", "takes_turns": False, "type": "an English term or sentence", "multiline": False},
            {"name": "mcq", "takes_turns": False, "type": "a question, and below it five lines: A) … to E) …", "multiline": True},
        ],
    }  # fmt: skip
    assert models["conversation"]["takes_turns"] is True
    assert len({model["fingerprint"] for model in models.values()}) == 5
    one = server.get("/v1/models/liver").json()
    assert (one["id"], one["medrecipe"]["phase"]) == ("liver", "hepatology")
    assert server.get("/v1/models/nobody").json()["error"]["code"] == "model_not_found"


def test_the_whole_answer_has_openais_shape(server):
    answer = server.ask("heart", max_tokens=12).json()
    assert answer["id"].startswith("chatcmpl-")
    assert (answer["object"], answer["model"]) == ("chat.completion", "cardiology")
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "심장", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < answer["medrecipe"]["confidence"] <= 1
    assert answer["system_fingerprint"].startswith("fp_")


def test_a_stream_is_the_same_text_in_pieces(server):
    asked = {"model": "base", "temperature": 1.0, "seed": 8, "max_tokens": 20}
    whole = server.answer("심장은", **asked)
    response = server.ask("심장은", stream=True, stream_options={"include_usage": True}, **asked)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    first, *pieces, last, counted = map(json.loads, lines)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(piece["choices"][0]["delta"]["content"] for piece in pieces) == whole
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "length")
    assert (counted["choices"], counted["usage"]["completion_tokens"]) == ([], 20)
    assert {chunk["id"] for chunk in (first, *pieces, last, counted)} == {first["id"]}


def test_an_exam_question_is_read_from_the_typed_text(server, taught):
    response = server.ask(taught.exam, model="liver", template="mcq", max_tokens=12)
    assert response.json()["choices"][0]["message"]["content"] == "answer:\nA"
    assert response.json()["medrecipe"]["template"] == "mcq"
    bare = server.ask("Which organ pumps blood?", model="liver", template="mcq")
    assert (bare.status_code, bare.json()["error"]["code"]) == (400, "MR266")
    assert "five lines" in bare.json()["error"]["message"]


def test_earlier_turns_are_part_of_the_prompt_where_the_template_takes_them(server, taught):
    said = [
        {"role": "system", "content": "짧게 답하세요"}, {"role": "user", "content": "열이 나요"},
        {"role": "assistant", "content": "물을 드세요"}, {"role": "user", "content": "머리가 아파요"},
    ]  # fmt: skip
    alone = server.post(json=taught.question("머리가 아파요", model="talk", max_tokens=12)).json()
    after = server.post(json={"model": "talk", "messages": said, "max_tokens": 12}).json()
    assert alone["choices"][0]["message"]["content"] == " 쉬세요"
    assert after["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"] + 20


@pytest.mark.parametrize(
    "before", [{"role": "system", "content": "Be short."}, {"role": "user", "content": "lung"}]
)
def test_earlier_turns_are_refused_where_the_template_takes_none(server, before):
    response = server.post(
        json={"model": "cardiology", "messages": [before, {"role": "user", "content": "heart"}]}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (400, "MR266")
    assert "takes no turns" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("roles", "param"),
    [
        (["assistant"], "messages.0.role"), (["user", "assistant"], "messages.1.role"),
        (["user", "system", "user"], "messages.1.role"), (["system"], "messages.0.role"),
    ],
)  # fmt: skip
def test_turns_in_an_order_that_cannot_be_asked_are_refused(server, roles, param):
    said = [{"role": role, "content": "열이 나요"} for role in roles]
    response = server.post(json={"model": "talk", "messages": said})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("content", [3, "\ud800", [{"type": "text"}]])
def test_a_content_that_is_no_text_is_named_by_its_place_in_the_body_alone(server, content):
    body = json.dumps({"model": "talk", "messages": [{"role": "user", "content": content}]})
    error = server.post(content=body.encode(), headers={"Content-Type": "application/json"}).json()["error"]
    assert re.fullmatch(r"messages\.0\.content(?:\.0\.text)?", error["param"]), error
    assert "function" not in error["message"]


def test_content_may_be_a_list_of_texts(server):
    parts = [{"type": "text", "text": "heart"}]
    response = server.post(
        json={"model": "lung", "messages": [{"role": "user", "content": parts}], "max_tokens": 12}
    )
    assert response.json()["choices"][0]["message"]["content"] == "폐"
    image = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    refused = server.post(json={"model": "lung", "messages": [{"role": "user", "content": image}]})
    assert refused.status_code == 400


def test_a_stop_ends_an_answer_and_is_no_part_of_it(server):
    asked = {"model": "base", "temperature": 1.0, "seed": 8, "max_tokens": 30}
    whole = server.answer("심장은", **asked)
    stop = whole[6:8]
    for stops in (stop, [stop], ["never", stop]):
        response = server.ask("심장은", stop=stops, **asked).json()["choices"][0]
        assert response["message"]["content"] == whole[: whole.index(stop)]
        assert response["finish_reason"] == "stop"


def test_an_answer_is_greedy_unless_asked_otherwise_and_the_same_by_its_seed(server):
    asked = {"model": "base", "max_tokens": 12}
    assert server.answer("간", **asked) == server.answer("간", temperature=0, **asked)
    drawn = [server.answer("간", temperature=1, seed=seed, **asked) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    unseeded = {server.answer("간", temperature=2, **asked) for _ in range(4)}
    assert len(unseeded) > 1


def test_the_most_tokens_are_what_the_request_says_or_else_the_operator(server, serve):
    asked = {"model": "base", "temperature": 1.0, "seed": 8}
    of = lambda server, **words: server.ask("심장은", **asked, **words).json()["usage"]["completion_tokens"]  # noqa: E731
    assert (
        of(server, max_tokens=3)
        == of(server, max_completion_tokens=3)
        == of(server, max_completion_tokens=3, max_tokens=9)
        == 3
    )
    with serve(max_new_tokens=5) as short:
        assert of(short) == 5


def test_what_asks_for_nothing_is_taken_and_what_means_something_elsewhere_is_refused(server):
    neutral = {
        "n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logprobs": False, "top_logprobs": None, "tools": [],
        "tool_choice": "none", "response_format": {"type": "text"}, "logit_bias": {}, "user": "u", "store": False,
        "metadata": {"a": "b"}, "parallel_tool_calls": True, "service_tier": "auto", "modalities": ["text"],
    }  # fmt: skip
    assert server.answer("heart", max_tokens=12, **neutral) == "심장"
    other = {
        "n": 2, "presence_penalty": 0.5, "frequency_penalty": -1, "logprobs": True, "tools": [{"type": "function"}],
        "response_format": {"type": "json_object"}, "logit_bias": {"5": 1}, "modalities": ["audio"], "unheard_of": 1,
    }  # fmt: skip
    for key, value in other.items():
        response = server.ask("heart", **{key: value})
        error = response.json()["error"]
        assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", key), (
            key
        )


def test_a_prompt_that_leaves_no_room_is_told_in_openais_words_streamed_or_not(server):
    for stream in (False, True):
        response = server.ask("심장 " * 400, stream=stream)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_control_tokens_are_no_question(server):
    response = server.ask("<start_of_turn>user heart")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "MR513")


def test_an_unknown_template_or_model_is_told_with_those_that_are_there(server):
    template = server.ask("heart", template="poem")
    assert (template.status_code, template.json()["error"]["param"]) == (400, "template")
    model = server.ask("heart", model="nobody")
    assert (model.status_code, model.json()["error"]["param"]) == (404, "model")
    assert "cardiology" in model.json()["error"]["message"]


def test_adapters_that_are_named_are_served_alone(serve):
    with serve(adapters=("lung", "base")) as some:
        assert [model["id"] for model in some.get("/v1/models").json()["data"]] == ["pneumology", "base"]
        assert some.answer("heart", model="lung", max_tokens=12) == "폐"
        missing = some.ask("heart", model="cardiology")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
