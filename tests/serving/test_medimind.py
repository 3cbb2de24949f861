"""``POST /api/v1/chat``, as clients of the MediMind backend know it; and ``/health``."""

from __future__ import annotations

import pytest


def chat(server, **body):
    return server.post("/api/v1/chat", json=body)


def test_a_message_gets_an_answer_with_its_confidence_and_whether_it_is_safe(server):
    response = chat(server, message="머리가 아파요", history=[])
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["answer", "confidence", "safe"]
    assert answer["answer"] == "쉬세요"
    assert 0 < answer["confidence"] <= 1
    assert answer["safe"] is (answer["confidence"] >= 0.3)


def test_the_confidence_is_that_of_the_same_answer_over_the_other_route(server):
    asked = server.ask("머리가 아파요", model="siblings").json()
    assert chat(server, message="머리가 아파요").json()["confidence"] == pytest.approx(
        asked["medrecipe"]["confidence"], rel=1e-5
    )


@pytest.mark.parametrize(("threshold", "safe"), [(0.0, True), (1.0, False)])
def test_what_is_safe_is_the_operators_threshold(serve, threshold, safe):
    with serve(confidence_threshold=threshold, adapters=("base",)) as server:
        assert chat(server, message="머리가 아파요").json()["safe"] is safe


def test_the_history_is_part_of_the_prompt(server):
    history = [{"role": "user", "content": "열이 나요"}, {"role": "assistant", "content": "물을 드세요"}]
    answer = chat(server, message="머리가 아파요", history=history).json()
    assert "history_used" not in answer
    turns = [*history, {"role": "user", "content": "머리가 아파요"}]
    same = server.post(json={"model": "talk", "messages": turns}).json()
    assert answer["answer"] == same["choices"][0]["message"]["content"].strip()


def test_a_history_that_the_template_cannot_take_is_left_out_and_that_is_said(serve):
    with serve(adapters=("heart",)) as server:
        history = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
        answer = chat(server, message="heart", history=history).json()
        assert (answer["answer"], answer["history_used"]) == ("심장", False)
        assert "history_used" not in chat(server, message="heart", history=[]).json()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "message"]), ({"message": ""}, ["body", "message"]), ({"message": 3}, ["body", "message"]),
        ({"message": "a", "history": "b"}, ["body", "history"]),
        ({"message": "a", "history": [{"role": "doctor", "content": "b"}]}, ["body", "history", 0, "role"]),
        ({"message": "a", "history": [{"role": "user"}]}, ["body", "history", 0, "content"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body_is_told_as_fastapi_tells_it(server, body, place):
    response = chat(server, **body)
    assert response.status_code == 422
    (problem,) = response.json()["detail"]
    assert (problem["loc"], set(problem)) == (place, {"type", "loc", "msg"})


def test_a_message_without_words_or_with_too_many_is_refused(server):
    for message in ("   ", "심장 " * 400, "<end_of_turn>"):
        response = chat(server, message=message)
        assert (response.status_code, list(response.json())) == (400, ["detail"])


def test_the_health_tells_load_and_models_and_no_text(server, taught, run):
    health = server.get("/health")
    assert health.status_code == 200
    told = health.json()
    assert told.pop("uptime_seconds") >= 0
    assert told == {
        "status": "ok", "run": run.folder.id, "models": ["siblings", *taught.siblings, "base"],
        "slots": 16, "active": 0, "waiting": 0,
    }  # fmt: skip


def test_the_health_is_503_once_the_worker_is_dead(serve):
    with serve() as server:
        server.shelf.workers[0].stop()
        server.shelf.workers[0].join(5)
        health = server.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert server.ask("heart").status_code == 503
        assert chat(server, message="a").status_code == 503
