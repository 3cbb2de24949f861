"""Large and malformed bodies get a 4xx and nothing else, and the server answers after."""

from __future__ import annotations

import json
import socket
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = {"Content-Type": "application/json"}
PATHS = ("/v1/chat/completions", "/api/v1/chat")
GOOD = {"model": "cardiology", "messages": [{"role": "user", "content": "heart"}], "max_tokens": 1}


def changed(**words: object) -> bytes:
    return json.dumps(GOOD | words).encode()


BODIES = {
    "empty": b"",
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "an empty object": b"{}",
    "cut off": b'{"model": "cardiology", "messages": [',
    "no JSON": b"model=cardiology",
    "two documents": b"{} {}",
    "invalid UTF-8": b'{"model": "\xff\xfe", "messages": []}',
    "a lone surrogate": b'{"model": "cardiology", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "a key with a lone surrogate": b'{"\\ud800": 1}',
    "a zero byte": b"\x00",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "deep lists": b"[" * 60_000 + b"]" * 60_000,
    "deep objects": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "deep metadata": b'{"metadata": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}",
    "NaN": changed().replace(b'"max_tokens": 1', b'"temperature": NaN'),
    "infinity": changed().replace(b'"max_tokens": 1', b'"temperature": 1e999'),
    "a huge number": changed().replace(b'"max_tokens": 1', b'"max_tokens": 1' + b"0" * 5000),
    "a negative number": changed(max_tokens=-1),
    "no tokens": changed(max_tokens=0),
    "a fraction of tokens": changed(max_tokens=1.5),
    "a number as text": changed(max_tokens="4"),
    "a huge seed": changed(seed=2**80),
    "true as a temperature": changed(temperature=True),
    "a low top_p": changed(top_p=0),
    "no turns": changed(messages=[]),
    "turns that are a text": changed(messages="heart"),
    "a turn that is a text": changed(messages=["heart"]),
    "a turn without content": changed(messages=[{"role": "user"}]),
    "content that is null": changed(messages=[{"role": "user", "content": None}]),
    "content that is empty": changed(messages=[{"role": "user", "content": "  "}]),
    "no parts": changed(messages=[{"role": "user", "content": []}]),
    "an unknown role": changed(messages=[{"role": "doctor", "content": "heart"}]),
    "a tool's turn": changed(messages=[{"role": "tool", "content": "heart", "tool_call_id": "1"}]),
    "an unknown key of a turn": changed(messages=[{"role": "user", "content": "heart", "mood": "sad"}]),
    "a model that is a number": changed(model=3),
    "five stops": changed(stop=list("abcde")),
    "an empty stop": changed(stop=""),
    "stream as text": changed(stream="yes"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_gets_a_4xx(server, path, name):
    response = server.post(path, content=BODIES[name], headers=JSON)
    assert 400 <= response.status_code < 500, response.text
    problem = response.json()
    assert problem["error"]["message"] if path.startswith("/v1") else problem["detail"]
    assert server.load() == (0, 0)


@pytest.mark.parametrize("path", PATHS)
def test_a_megabyte_gets_a_413_with_or_without_a_declared_length(server, path):
    body = json.dumps(GOOD | {"message": "heart " * 180_000}).encode()
    pieces = (body[i : i + 10_000] for i in range(0, len(body), 10_000))
    for content in (body, pieces):
        response = server.post(path, content=content, headers=JSON)
        assert response.status_code == 413, response.text
    assert server.answer("heart", max_tokens=12) == "심장"


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]
)
@pytest.mark.parametrize("path", PATHS)
def test_what_a_page_of_the_web_can_send_unasked_is_no_request(server, path, kind):
    """Browsers ask before they send JSON to another origin, which is never granted here."""
    headers = {"Content-Type": kind} if kind else {}
    assert server.post(path, content=json.dumps(GOOD), headers=headers).status_code == 415
    asked = server.client.options(
        path, headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    )
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["TLS", "a line", "no host", "a length that is none", "a long path", "a long header"],
)  # fmt: skip
def test_what_is_no_http_is_answered_with_a_4xx_or_dropped(server, head):
    host, port = server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=10)) as client:
        client.sendall(head)
        assert client.recv(12) in {b"HTTP/1.1 400", b"HTTP/1.1 431", b""}
    assert server.get("/health").status_code == 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(
        [*GOOD, "seed", "temperature", "stop", "stream", "stream_options", "template", "n", "x"]
    ),
    value=JSON_VALUES,
)
def test_any_value_of_any_key_is_answered_or_refused(server, key, value):
    response = server.post(content=json.dumps(GOOD | {key: value}), headers=JSON)
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
