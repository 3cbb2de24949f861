"""Who may ask: the token, the names by which the server may be called, and what the page may load."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def guarded(serve):
    with serve(token="s3cret-토큰".encode().hex(), allowed_hosts=("localhost", "127.0.0.1")) as server:
        yield server


@pytest.fixture(scope="module")
def token() -> str:
    return "s3cret-토큰".encode().hex()


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/base", "/openapi.json", "/nowhere"])
def test_without_the_token_nothing_is_told(guarded, token, path):
    for headers in (
        {},
        {"Authorization": token},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {token}x"},
        {"Authorization": f"Basic {token}"},
    ):
        response = guarded.get(path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    assert guarded.get(path, headers={"Authorization": f"Bearer {token}"}).status_code != 401


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/chat"])
def test_without_the_token_no_body_is_read(guarded, path):
    response = guarded.post(path, content=b"x" * 2_000_000)
    assert response.status_code == 401
    kind = "error" if path.startswith("/v1") else "detail"
    assert list(response.json()) == [kind]


def test_the_page_and_the_health_need_no_token(guarded):
    for path in ("/", "/page.js", "/page.css", "/health"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:80", "127.0.0.1.example.org", "", "localhost.", "[::1"]
)
def test_another_name_than_its_own_is_refused(guarded, token, host):
    headers = {"Host": host, "Authorization": f"Bearer {token}"}
    for path in ("/", "/health", "/v1/models"):
        assert guarded.get(path, headers=headers).status_code in {400, 403}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1"])
def test_its_own_names_are_taken_with_any_port(guarded, host):
    assert guarded.get("/health", headers={"Host": host}).status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(guarded):
    page = guarded.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    text = page.text + guarded.get("/page.js").text + guarded.get("/page.css").text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "innerHTML" not in text


def test_what_is_not_there_is_told_in_the_shape_of_its_clients(server):
    assert server.get("/v1/nowhere").json()["error"]["type"] == "invalid_request_error"
    assert server.get("/nowhere").json() == {"detail": "Not Found"}
    assert server.get("/v1/chat/completions").status_code == 405
    assert server.get("/docs").status_code == 404


def test_requests_are_logged_without_their_texts_and_tokens(serve):
    with serve(log_requests=True, token="s3cret") as server:
        headers = {"Authorization": "Bearer s3cret"}
        server.post(
            json={"model": "lung", "messages": [{"role": "user", "content": "heart"}], "max_tokens": 2},
            headers=headers,
        )
        server.post("/api/v1/chat", json={"message": "열이 나요"}, headers=headers)
        server.get("/health")
        server.get("/v1/models?q=patient")
    lines = [line for line in server.said if line.startswith(("GET", "POST"))]
    shown = [
        "POST /v1/chat/completions 200",
        "POST /api/v1/chat 200",
        "GET /health 200",
        "GET /v1/models 401",
    ]
    assert [" ".join(line.split()[:3]) for line in lines] == shown
    assert lines[0].endswith("2 tokens")
    assert not [
        line for line in server.said for word in ("s3cret", "heart", "열이", "patient") if word in line
    ]


def test_the_description_of_the_api_is_there(server):
    paths = server.get("/openapi.json").json()["paths"]
    assert {"/v1/chat/completions", "/v1/models", "/api/v1/chat", "/health"} <= set(paths)
