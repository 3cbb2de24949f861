"""A bug in the decoder fails requests, is told to the operator without their texts, and hangs nobody."""

from __future__ import annotations

import pytest


def failing(recited, *errors: Exception):
    """Make decoders whose first steps fail with these, one after the other."""
    left = iter(errors)
    return lambda: recited("답", fails=left)


def test_a_step_that_fails_once_fails_its_requests_and_the_server_goes_on(serve, recited):
    with serve(decoder=failing(recited, ValueError("heart attack"))) as server:
        broken = server.ask("heart")
        assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal_error")
        assert server.answer("heart") == "답"
        assert server.get("/health").status_code == 200
        (told,) = [line for line in server.said if "internal error" in line]
        assert "ValueError" in told
        assert "conftest.py" in told
        assert "heart attack" not in told


def test_a_stream_that_breaks_ends_with_an_error_event(serve, recited):
    def breaking():
        yield None
        yield None
        yield ValueError("x")

    steps = breaking()

    class Sometimes(recited):
        def step(self):
            if len(self) and (error := next(steps, None)):
                raise error
            return super().step()

    with serve(decoder=lambda: Sometimes("답답답답")) as server:
        lines = server.ask("heart", stream=True).text.strip().split("\n\n")
    assert '"code": "internal_error"' in lines[-1]
    assert "[DONE]" not in "".join(lines)


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/api/v1/chat"])
def test_a_decoder_that_keeps_failing_is_given_up_and_the_health_says_so(serve, recited, route):
    errors = [ValueError(str(n)) for n in range(9)]
    body = (
        {"model": "lung", "messages": [{"role": "user", "content": "a"}]}
        if "v1/chat/" in route
        else {"message": "a"}
    )
    with serve(decoder=failing(recited, *errors)) as server:
        assert [server.post(route, json=body).status_code for _ in range(5)] == [500, 500, 500, 503, 503]
        assert server.get("/health").status_code == 503


def test_a_bug_that_one_request_meets_before_it_is_written_fails_that_one_alone(serve, recited):
    class Picky(recited):
        def add(self, request):
            if request.sample.prompt.count("lung"):
                raise KeyError(request.sample.prompt)
            return super().add(request)

    with serve(decoder=lambda: Picky("답")) as server:
        assert server.ask("lung").status_code == 500
        assert server.answer("heart") == "답"
        assert not [line for line in server.said if "lung\n" in line]


def test_a_decoder_that_cannot_be_made_is_no_server_that_hangs(serve):
    def unmade():
        raise ValueError

    with serve(decoder=unmade) as server:
        assert server.ask("heart").status_code in {500, 503}
        assert server.get("/health").status_code == 503


def test_requests_that_wait_when_the_worker_dies_are_told(serve, recited):
    import threading

    with serve(decoder=lambda: recited("말" * 500, seconds=0.02), slots=1) as server:
        found: list[int] = []
        asking = [
            threading.Thread(target=lambda: found.append(server.ask("a").status_code)) for _ in range(3)
        ]
        for thread in asking:
            thread.start()
        server.becomes((1, 2))
        server.shelf.workers[0].stop()
        for thread in asking:
            thread.join(5)
        assert found == [503, 503, 503]
